Feature: Jobs are pinned, bounded and watched
  Security Hub: Glue.1, Glue.4

  Scenario: Every job ends within four hours
    Given I have aws_glue_job defined
    Then it must have timeout
    And its value must be less and equal to 240

  Scenario: Every job says how many runs there may be at a time
    Given I have aws_glue_job defined
    Then it must have execution_property
    And it must have max_concurrent_runs
    And its value must be 1

  Scenario: Every job's Python is pinned
    Given I have aws_glue_job defined
    Then it must have command
    And it must have python_version
    And its value must match the "^3(\.9)?$" regex

  Scenario: Glue.4 - the engine of every Spark job is pinned
    Given I have aws_glue_job defined
    When its command.name is glueetl
    Then it must have glue_version
    And its value must be 6.0

  Scenario: Scripts come from a release
    Given I have aws_glue_job defined
    Then it must have command
    And it must have script_location
    And its value must match the "^s3://.+/releases/[0-9.]+-[0-9a-f]{12}/glue_jobs/[a-z_]+\.py$" regex

  Scenario: No secret stands in an argument
    Given I have aws_glue_job defined
    Then it must have default_arguments
    And its value must not match the ".*(postgres(ql)?://|password|AKIA[0-9A-Z]{16}).*" regex

  Scenario: Every job but those that fetch from outside runs inside the network
    Given I have aws_glue_job defined
    When its name is not fetch_rates
    When its name is not fetch_files
    Then it must have connections

  Scenario Outline: A job that fetches from outside is given no secret
    Given I have aws_glue_job defined
    When its name is <job>
    Then it must have default_arguments
    And its value must not match the ".*_secret.*" regex

    Examples:
      | job         |
      | fetch_rates |
      | fetch_files |
