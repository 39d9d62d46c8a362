"""AWS as far as the lakehouse needs it, on a laptop: an endpoint, Athena, and what runs Glue's jobs.

It knows no table, no business and no command line; of our packages it imports how a view's text lies in the
Glue catalog and nothing else. Begin with :func:`local_aws.endpoint.app.create_endpoint`,
:class:`local_aws.athena.service.AthenaService` and :class:`local_aws.jobs.runner.GlueRunner`.
"""
