"""`python -m tests.behaviour.episodes [--film] [NAME ...]`: what is expected of the recordings anew; with --film the pictures too."""

from __future__ import annotations

import sys

import msgspec

from tests.behaviour.episodes.recipes import RECIPES, Recipe
from tests.behaviour.episodes.replay import Recorded, file_of, read, replayed, write


def main(words: list[str]) -> int:
    names = [word for word in words if word != "--film"]
    for recipe in RECIPES:
        if not names or recipe.name in names:
            recorded = _filmed(recipe) if "--film" in words else read(recipe.name)[0]
            write(recorded, replayed(recorded))
            recorded, expected = read(recipe.name)
            # What is kept is rounded: what is expected is of what is kept.
            write(recorded, replayed(recorded))
            told = [f"{alarm['at_s']:.1f} s {alarm['band']} {', '.join(alarm['kinds'])}" for alarm in expected["alarms"]]
            print(f"{file_of(recipe.name).name}: {len(recorded.seen)} frames; {'; '.join(told) or 'nothing to tell'}")
    return 0


def _filmed(recipe: Recipe) -> Recorded:
    from tools.behaviour.filmed import Film, cast_of, chain_maker

    episode = cast_of(recipe.make())
    film, seen, faces = Film(episode, chain_maker()()), [], list[int | None]()
    waiting = list(episode.news)
    for frame in film.all():
        seen.append(frame)
        while waiting and waiting[0].at_s <= frame.taken_s:
            who = waiting.pop(0).who
            faces.append(None if who is None else film.face_of(who))
    faces += [None] * len(waiting)
    news = tuple(
        msgspec.structs.replace(each, who=None if each.who is None else number) for number, each in enumerate(episode.news)
    )
    return Recorded(name=recipe.name, story=recipe.story, wall=episode.wall, news=news, faces=tuple(faces), seen=tuple(seen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
