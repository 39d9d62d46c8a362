Feature: What starts by itself is bounded, and what could not be started is kept

  Scenario: A schedule tries once, since the next tick is the retry
    Given I have aws_scheduler_schedule defined
    Then it must have target
    And it must have retry_policy
    And it must have maximum_retry_attempts
    And its value must be 0

  Scenario: What a schedule could not start is kept
    Given I have aws_scheduler_schedule defined
    Then it must have target
    And it must have dead_letter_config
    And it must have arn

  Scenario: A schedule names the clock that it goes by
    Given I have aws_scheduler_schedule defined
    Then it must have schedule_expression_timezone

  Scenario: Glue starts nothing by a clock of its own
    Given I have aws_glue_trigger defined
    Then it must have type
    And its value must not match the "SCHEDULED" regex
