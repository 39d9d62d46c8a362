# What functions answer over HTTP. A route has one authorizer, so that each kind of callers has an API of its own: programs
# sign their requests as they do for every service of AWS, people bring a token of the issuer that an environment names.
# None is open, and each function takes calls of its own APIs alone.

locals {
  apis = merge(flatten([
    for function, stated in var.functions : [
      { "${function}_programs" = { function = function, callers = "programs", throttle = stated.throttle, description = stated.description } },
      var.issuer == null ? {} : { "${function}_people" = { function = function, callers = "people", throttle = stated.throttle, description = stated.description } },
    ]
  ])...)
  names = { for key in keys(local.apis) : key => "${var.name}-${replace(key, "_", "-")}" }
}

resource "aws_apigatewayv2_api" "this" {
  for_each = local.apis

  name          = local.names[each.key]
  description   = "${each.value.description}, for ${each.value.callers}"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "people" {
  for_each = { for key, api in local.apis : key => api if api.callers == "people" }

  api_id           = aws_apigatewayv2_api.this[each.key].id
  name             = "people"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.issuer
    audience = var.audiences
  }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.apis

  api_id                 = aws_apigatewayv2_api.this[each.key].id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.invoke_arns[each.value.function]
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

# Whatever is asked goes to the function, which knows what there is; and nothing without its authorizer.
resource "aws_apigatewayv2_route" "this" {
  for_each = local.apis

  api_id             = aws_apigatewayv2_api.this[each.key].id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this[each.key].id}"
  authorization_type = each.value.callers == "people" ? "JWT" : "AWS_IAM"
  authorizer_id      = try(aws_apigatewayv2_authorizer.people[each.key].id, null)
}

resource "aws_cloudwatch_log_group" "access" {
  for_each = local.apis

  # AWS writes below this prefix without a policy of ours, which has 5,120 letters at most for all logs of an account.
  name              = "/aws/vendedlogs/${local.names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key
}

resource "aws_apigatewayv2_stage" "this" {
  for_each = local.apis

  api_id      = aws_apigatewayv2_api.this[each.key].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = each.value.throttle.per_second
    throttling_burst_limit = each.value.throttle.burst
  }

  # No query, no address and no name of who asks.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access[each.key].arn
    format = jsonencode({
      at             = "$context.requestTime"
      request        = "$context.requestId"
      method         = "$context.httpMethod"
      path           = "$context.path"
      status         = "$context.status"
      milliseconds   = "$context.responseLatency"
      bytes          = "$context.responseLength"
      refused        = "$context.authorizer.error"
      function_error = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_metric_filter" "throttled" {
  for_each = local.apis

  name           = "${local.names[each.key]}-throttled"
  log_group_name = aws_cloudwatch_log_group.access[each.key].name
  pattern        = "{ $.status = \"429\" }"

  metric_transformation {
    namespace = var.namespace
    name      = "requests_throttled_${each.key}"
    value     = "1"
  }
}

resource "aws_lambda_permission" "this" {
  for_each = local.apis

  statement_id  = "the-api-for-${each.value.callers}-calls"
  function_name = var.function_names[each.value.function]
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[each.key].execution_arn}/*/$default"
}

# What a program's role may do that asks; the account attaches it to that role.
resource "aws_iam_policy" "callers" {
  for_each = var.functions

  name        = "${var.name}-callers-of-${replace(each.key, "_", "-")}"
  description = "Asks the HTTP API of ${each.key}: ${each.value.description}"
  policy = jsonencode(jsondecode(templatefile("${var.rights}/people/callers_of_${each.key}.json", {
    partition = var.partition
    region    = var.region
    account   = var.account
    api       = aws_apigatewayv2_api.this["${each.key}_programs"].id
  })))
}
