Feature: Queries are bounded, encrypted and logged
  Security Hub: Athena.1, Athena.4

  Scenario: Athena.4 - what is queried is measured
    Given I have aws_athena_workgroup defined
    Then it must have configuration
    And it must have publish_cloudwatch_metrics_enabled
    And its value must be true

  Scenario: Athena.1 - results are encrypted with a key of ours
    Given I have aws_athena_workgroup defined
    Then it must have configuration
    And it must have result_configuration
    And it must have encryption_configuration
    And it must have encryption_option
    And its value must be SSE_KMS

  Scenario: A query reads no more than it is allowed
    Given I have aws_athena_workgroup defined
    Then it must have configuration
    And it must have bytes_scanned_cutoff_per_query
    And its value must be greater and equal to 10000000
