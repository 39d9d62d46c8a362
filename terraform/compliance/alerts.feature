Feature: Somebody is told
  Security Hub: SNS.1, CloudWatch.15, CloudWatch.16

  Scenario: CloudWatch.15 - every alarm tells somebody
    Given I have aws_cloudwatch_metric_alarm defined
    Then it must have alarm_description
    And its value must match the ".+#[a-z-]+$" regex

  Scenario: What a rule cannot deliver is kept
    Given I have aws_cloudwatch_event_target defined
    Then it must have dead_letter_config
    And it must have arn

  Scenario: Somebody is told of a bill that grows
    Given I have aws_budgets_budget defined
    Then it must have notification
    And it must have subscriber_email_addresses

  Scenario: CloudWatch.16 - logs are kept for a year
    Given I have aws_cloudwatch_log_group defined
    Then it must have retention_in_days
    And its value must be greater and equal to 365
