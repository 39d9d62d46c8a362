Feature: The documentation site is private
  Security Hub: CloudFront.1, CloudFront.3, CloudFront.5, CloudFront.13

  Scenario: CloudFront.3 - it is seen over TLS alone
    Given I have aws_cloudfront_distribution defined
    Then it must have default_cache_behavior
    And it must have viewer_protocol_policy
    And its value must match the "redirect-to-https|https-only" regex

  Scenario: CloudFront.13 - what it asks of the bucket is signed
    Given I have aws_cloudfront_origin_access_control defined
    Then it must have signing_behavior
    And its value must be always

  Scenario: CloudFront.5 - who looks is logged
    Given I have aws_cloudfront_distribution defined
    Then it must have logging_config

  Scenario: CloudFront.1 - it has a front page
    Given I have aws_cloudfront_distribution defined
    Then it must have default_root_object
    And its value must be index.html
