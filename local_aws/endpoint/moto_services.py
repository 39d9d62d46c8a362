"""moto's services behind the layers, which look up once what is the same for every request."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core import responses, utils
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

# moto asks for the methods of a service's class at each request, which takes longer than most answers.
responses.method_names_from_class = cache(utils.method_names_from_class)

# A service's routes are the same at each endpoint: whose request it is stands in the request.
_application_of = cache(create_backend_app)


class MotoServices(DomainDispatcherApplication):
    """Hands each request to the service of moto that its signature names."""

    def __init__(self) -> None:
        super().__init__(_application_of)
        # moto lists its folders for each request.
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """The service that answers at a host, which is looked up once."""
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]
