"""What is expected of a captured row: rules from contracts and from the business, compiled to SQL.

May import ``catalog``. Begin with :func:`expectations.rules.load_suites`,
:func:`expectations.compile.compile_rules` and :func:`expectations.validation_report.validation_result`.
"""
