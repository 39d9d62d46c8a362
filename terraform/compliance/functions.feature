Feature: Functions run what was tested, and what they fail at is kept
  Security Hub: Lambda.2

  Scenario: Lambda.2 - every function's runtime is the one of the lock
    Given I have aws_lambda_function defined
    Then it must have runtime
    And its value must be python3.13

  Scenario: The machine is the one of the wheels
    Given I have aws_lambda_function defined
    Then it must have architectures
    And its value must be x86_64

  Scenario: Their code comes from a release
    Given I have aws_lambda_function defined
    Then it must have s3_key
    And its value must match the "^releases/[0-9.]+-[0-9a-f]{12}/functions/[a-z_]+\.zip$" regex

  Scenario: What a function fails at is kept
    Given I have aws_lambda_function_event_invoke_config defined
    Then it must have destination_config
    And it must have on_failure
    And it must have destination
