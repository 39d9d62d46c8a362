Feature: Nobody asks without saying who they are, and not more than is let through
  Security Hub: APIGateway.8, APIGateway.9

  Scenario: APIGateway.8 - every route has an authorizer
    Given I have aws_apigatewayv2_route defined
    Then it must have authorization_type
    And its value must match the "^(AWS_IAM|JWT)$" regex

  Scenario: APIGateway.9 - every stage writes an access log
    Given I have aws_apigatewayv2_stage defined
    Then it must have access_log_settings
    And it must have destination_arn

  Scenario: An access log has no query, no address and no name of who asks
    Given I have aws_apigatewayv2_stage defined
    Then it must have access_log_settings
    And it must have format
    And its value must not match the ".*(identity|claims|principal|sourceIp|userAgent|[qQ]uery|header).*" regex

  Scenario: Every stage is throttled
    Given I have aws_apigatewayv2_stage defined
    Then it must have default_route_settings
    And it must have throttling_rate_limit
    And its value must be less and equal to 100

  Scenario: A function takes calls of named APIs and topics alone
    Given I have aws_lambda_permission defined
    Then it must have source_arn
