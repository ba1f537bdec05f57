"""The sink that shows a pipeline at work to browsers and to Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

from edgekit.camera.answering import FOLLOWED_TASKS
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.serving.access import Access, token_for
from edgekit.camera.serving.address import Address
from edgekit.camera.serving.figures import Figures
from edgekit.camera.serving.scene_desk import Editing, SceneDesk
from edgekit.camera.serving.screen import Screen
from edgekit.camera.serving.server import Server
from edgekit.camera.serving.site import Site, read_page


class LivePage:
    """Serves from ``__enter__`` to ``__exit__``; ``write`` leaves the work to the threads of those who look."""

    def __init__(
        self, address: Address, pipeline: Pipeline, *, edited: Path | None, told: Callable[[str], None]
    ) -> None:
        """``edited``: the scene's file, where the page may change it; ``told`` hears the page's URL once."""
        self._address, self._told = address, told
        self.screen, self._figures = Screen(), Figures(pipeline)
        analyst = pipeline.analyst
        editing = Editing(file=edited, analyst=analyst) if edited and analyst else None
        task = pipeline.answerer.contract.schema.task
        self._desk = SceneDesk(analyst, editing, drawable=task in FOLLOWED_TASKS)

    def __enter__(self) -> Self:
        token = token_for(self._address)
        self._server = Server(self._address)
        access = Access(token=token.value if token else None, cookie=f"edgekit_camera_{self._server.port}")
        self._server.start(
            Site(access=access, screen=self.screen, figures=self._figures, desk=self._desk, page=read_page())
        )
        query = f"?token={token.shown}" if token else ""
        self._told(f"live page: http://{self._address.reached_at()}:{self._server.port}/{query}")
        return self

    @property
    def connections(self) -> int:
        """Open ones, of viewers and whoever else asks."""
        return self._server.connections

    def write(self, result: Result) -> None:
        self._figures.note(result)
        self.screen.show(result)

    def __exit__(self, *_: object) -> None:
        self.screen.close()
        self._server.stop()
