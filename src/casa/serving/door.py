"""What the endpoints of one server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from casa.serving.admission import Admission
from casa.serving.engine import Engine
from casa.serving.errors import APIError
from casa.serving.metrics import Metrics
from casa.serving.remote_media import RemoteMedia
from casa.serving.settings import Settings


@dataclass
class Door:
    """An engine, and who may come to it.

    Attributes:
        engine: that decides and answers.
        settings: of this server.
        media: what fetches media.
        admission: how many are let in.
        metrics: what is counted.
    """

    engine: Engine
    settings: Settings
    media: RemoteMedia = field(init=False)
    admission: Admission = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.media = RemoteMedia(self.settings.media_domains, self.settings.max_body_mb)
        self.admission = Admission(self.settings.max_requests)
        self.metrics = Metrics(self.engine.waiting, lambda: self.admission.inside)

    def require_model(self, name: str) -> None:
        """Checks the name of the model that a request asks for.

        Raises:
            APIError: 404.
        """
        if name != self.settings.model:
            raise APIError(404, f"this server has the model {self.settings.model!r} only", "model_not_found", "model")
