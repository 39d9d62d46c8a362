# Production.
environment  = "prod"
region       = "eu-west-2"
owner        = "data-platform"
alert_emails = ["data-platform@terrifictotes.example"]

network = {
  vpc_id            = "vpc-0fedcba9876543210"
  subnet_id         = "subnet-0fedcba9876543210"
  availability_zone = "eu-west-2a"
  database_cidrs    = ["10.1.4.0/24"]
}

documentation_viewers = ["203.0.113.0/24"]
