"""The chain that episodes are seen with: a door's own, with every stage on that any profile allows."""

from __future__ import annotations

from agent.config import Config, Deployment
from agent.vision.build import build_chain_maker, build_enroller
from agent.vision.chain import Chain
from agent.vision.engine import Engine
from agent.vision.enrol import Enroller
from models_tflite.manifest import load_manifest


def new_chain(engine: Engine) -> Chain:
    config = Config(site="golden", door="golden", deployment=Deployment(profile="standard", expression=True))
    return build_chain_maker(engine, load_manifest(), config)()


def enroller(engine: Engine) -> Enroller:
    return build_enroller(engine, load_manifest())
