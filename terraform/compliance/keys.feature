Feature: Keys are rotated and not lost by accident
  Security Hub: KMS.3, KMS.4

  Scenario: KMS.4 - every key is rotated
    Given I have aws_kms_key defined
    Then it must have enable_key_rotation
    And its value must be true

  Scenario: KMS.3 - a key that is deleted can be brought back for a month
    Given I have aws_kms_key defined
    Then it must have deletion_window_in_days
    And its value must be 30
