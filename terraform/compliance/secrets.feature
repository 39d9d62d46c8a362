Feature: Secrets hold no value here
  Security Hub: SecretsManager.4, SecretsManager.5

  Scenario: No secret's value passes through Terraform
    Given I have aws_secretsmanager_secret_version defined
    Then it must fail

  Scenario: Every secret's policy is closed to the public
    Given I have aws_secretsmanager_secret_policy defined
    Then it must have block_public_policy
    And its value must be true

  Scenario: No key of a user is made
    Given I have aws_iam_access_key defined
    Then it must fail
