Feature: Buckets are encrypted, versioned, closed and spoken to over TLS
  Security Hub: S3.1, S3.5, S3.8, S3.9, S3.12, S3.13, S3.14, S3.17

  Scenario: S3.17 - every bucket's objects are encrypted
    Given I have aws_s3_bucket_server_side_encryption_configuration defined
    Then it must have rule
    And it must have apply_server_side_encryption_by_default
    And it must have sse_algorithm
    And its value must match the "(aws:kms|AES256)" regex

  Scenario Outline: S3.8 - every bucket is closed to the public: <switch>
    Given I have aws_s3_bucket_public_access_block defined
    Then it must have <switch>
    And its value must be true

    Examples:
      | switch                  |
      | block_public_acls       |
      | block_public_policy     |
      | ignore_public_acls      |
      | restrict_public_buckets |

  Scenario: S3.14 - every bucket keeps versions
    Given I have aws_s3_bucket_versioning defined
    Then it must have versioning_configuration
    And it must have status
    And its value must match the "Enabled" regex

  Scenario: S3.13 - what was replaced goes one day
    Given I have aws_s3_bucket_lifecycle_configuration defined
    Then it must have rule
    And it must have noncurrent_version_expiration

  Scenario: S3.9 - who reads and writes is logged
    Given I have aws_s3_bucket_logging defined
    Then it must have target_bucket
    And its value must match the ".*access[-_]logs.*" regex

  Scenario: S3.5 - nobody speaks to a bucket without TLS
    Given I have aws_s3_bucket_policy defined
    Then it must have policy
    And it must have Statement
    And it must have Sid
    And any of its values must match the "^TlsOnly$" regex
