# The documentation site: a private bucket, read by CloudFront alone, seen from known address ranges alone.

resource "aws_cloudfront_origin_access_control" "site" {
  name                              = "${var.name}-documentation"
  description                       = "CloudFront signs what it asks of the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_function" "viewers" {
  name    = "${var.name}-viewers"
  comment = "Lets known address ranges in"
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = "const RANGES = ${jsonencode(var.viewers)};\n${file("${path.module}/viewers.js")}"
}

resource "aws_cloudfront_response_headers_policy" "site" {
  # checkov:skip=CKV_AWS_259:its name may be CloudFront's own, which nobody else can put on the browsers' preload list

  name    = "${var.name}-documentation"
  comment = "The site is framed by itself alone and loads nothing from elsewhere"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      override                   = true
    }

    content_type_options {
      override = true
    }

    # Every page shows the state of the data at its head, in a frame.
    frame_options {
      frame_option = "SAMEORIGIN"
      override     = true
    }

    referrer_policy {
      referrer_policy = "same-origin"
      override        = true
    }

    # What holds for every page. Each narrows its scripts further in its own policy, by digest; both apply.
    content_security_policy {
      content_security_policy = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
      override                = true
    }
  }
}

resource "aws_cloudfront_distribution" "site" {
  # checkov:skip=CKV_AWS_68:static pages that known addresses alone may see; a firewall costs more than the site
  # checkov:skip=CKV2_AWS_47:nothing behind it runs Java, or anything else
  # checkov:skip=CKV_AWS_374:viewers are known by address, which is stricter than by country
  # checkov:skip=CKV_AWS_310:the pages are made again within the hour; there is no second origin

  comment             = "${var.name}: documentation"
  enabled             = true
  is_ipv6_enabled     = false # viewers are known by IPv4
  http_version        = "http2and3"
  price_class         = "PriceClass_100"
  default_root_object = "index.html"
  aliases             = var.domain == null ? [] : [var.domain.name]
  wait_for_deployment = true

  origin {
    origin_id                = "bucket"
    domain_name              = var.bucket.domain
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }

  default_cache_behavior {
    target_origin_id           = "bucket"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "redirect-to-https"
    compress                   = true
    cache_policy_id            = "658327ea-f89d-4fab-a63d-7e88639e58f6" # AWS's own CachingOptimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.site.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.viewers.arn
    }
  }

  logging_config {
    bucket          = var.logs.domain
    prefix          = "cloudfront/documentation/"
    include_cookies = false
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = try(var.domain.certificate_arn, null)
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
  }
}
