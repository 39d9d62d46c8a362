Feature: A role may do what its job does, and nothing else
  Security Hub: IAM.1, IAM.21

  Scenario: No role may do everything with a service
    Given I have aws_iam_role_policy defined
    Then it must have policy
    And it must have Statement
    And it must have Action
    And its value must not match the "^([a-z0-9-]+:)?\*$" regex

  Scenario Outline: No role reaches everything
    Given I have aws_iam_role_policy defined
    When its name is <policy>
    Then it must have policy
    And it must have Statement
    And it must have Resource
    And its value must not match the "^\*$" regex

    Examples:
      | policy                |
      | what-the-job-does     |
      | what-the-function-does |
      | what-schedules-do     |
      | works                 |
      | writes-in-the-sandbox |

  Scenario: Where AWS knows no resource, a role only looks
    Given I have aws_iam_role_policy defined
    When its name is what-knows-no-resource
    Then it must have policy
    And it must have Statement
    And it must have Action
    And its value must match the "^ec2:Describe[A-Za-z]+$" regex

  Scenario: Jobs and functions have two kinds of policies, schedules one, analysts two, and nobody has more
    Given I have aws_iam_role_policy defined
    Then it must have name
    And its value must match the "^(what-(the-job-does|the-function-does|schedules-do|knows-no-resource)|works|writes-in-the-sandbox)$" regex

  Scenario: Roles are taken by Glue, Lambda, the scheduler, or by whom the account lets take an analyst's
    Given I have aws_iam_role defined
    Then it must have assume_role_policy
    And it must have Statement
    And it must have Principal
    And its value must match the "^((glue|lambda|scheduler)\.amazonaws\.com|arn:aws[a-z-]*:iam::[0-9]{12}:root)$" regex

  Scenario: People's policies reach named things alone
    Given I have aws_iam_policy defined
    Then it must have policy
    And it must have Statement
    And it must have Resource
    And its value must not match the "^(\*|arn:aws[a-z-]*:(?!logs:)[a-z0-9]+:[^/]*\*)$" regex

  Scenario: People's policies name every action
    Given I have aws_iam_policy defined
    Then it must have policy
    And it must have Statement
    And it must have Action
    And its value must match the "^(s3|glue|iam|kms|athena|logs|scheduler|sqs|secretsmanager|execute-api):[A-Za-z]+$" regex

  Scenario: No managed policy is attached
    Given I have aws_iam_role_policy_attachment defined
    Then it must fail
