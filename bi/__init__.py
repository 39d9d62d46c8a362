"""What the business asks and sees: questions in SQL, and one dashboard from which QuickSight's is made.

May import ``catalog``. Begin with :func:`bi.questions.load_questions`,
:func:`bi.dashboard.load_dashboard` and :func:`bi.quicksight.template`.
"""
