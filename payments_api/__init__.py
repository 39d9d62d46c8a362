"""The payments of the business for its finance department; ``docs/payments.md`` says what they mean."""
