Feature: Every resource says whose it is
  Security Hub: Glue.1, S3 and KMS resources should be tagged

  Scenario Outline: The tag <tag> is on everything that can bear tags
    Given I have resource that supports tags_all defined
    Then it must have tags_all
    And it must have <tag>
    And its value must not be null

    Examples:
      | tag         |
      | project     |
      | environment |
      | owner       |
      | managed_by  |
