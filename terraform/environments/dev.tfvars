# Development: nothing here is worth keeping.
environment        = "dev"
region             = "eu-west-2"
owner              = "data-platform"
alert_emails       = ["data-platform@terrifictotes.example"]
data_is_disposable = true

network = {
  vpc_id            = "vpc-0123456789abcdef0"
  subnet_id         = "subnet-0123456789abcdef0"
  availability_zone = "eu-west-2a"
  database_cidrs    = ["10.0.4.0/24"]
}

documentation_viewers = ["203.0.113.0/24"]
