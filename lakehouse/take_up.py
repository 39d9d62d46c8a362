"""Whether a project has changed since a stack took it up, and what of that the stack may take up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.project import VARIABLE, project_folder
from glue_jobs.runtime.errors import UserError
from lakehouse.project_copy import ProjectCopy, digest_of, drop_others, keep_copy, load_copy, project_files
from lakehouse.stack_state import Paths


@dataclass(frozen=True)
class Look:
    """What a look at the project's files found.

    Attributes:
        before: The copy that the stack works by; None where it has none yet.
        copy: The copy that it is to work by.
        told: What is taken up with that, in words.
    """

    before: ProjectCopy | None
    copy: ProjectCopy
    told: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the stack works by something else."""
        return self.before is not None and self.before.digest != self.copy.digest

    def take_up(self, paths: Paths) -> None:
        """Let the stack work by it, from its next start on. No job may run."""
        self.copy.save(paths)
        drop_others(paths, self.copy)

    def take_back(self, paths: Paths) -> None:
        """Let it work by what it worked by before, whose copy has to be there."""
        if self.before is not None:
            self.before.save(paths)


@dataclass(frozen=True)
class Permission:
    """What a person allows besides what a stack takes up by itself.

    Attributes:
        rebuild: A rebuild follows at once.
        alter: Columns may be added to the warehouse.
    """

    rebuild: bool = False
    alter: bool = False


def look(paths: Paths, allowed: Permission = Permission()) -> Look:
    """Look at the project's files; changes nothing that the stack works by.

    Args:
        paths: The stack's places.
        allowed: What a person allows.

    Raises:
        UserError: Something changed that the stack may not take up, each thing with the way out.
        ContractError: The files cannot be read, with file and line.
    """
    project, before = project_folder(), load_copy(paths)
    files = project_files(project)
    if before is not None and before.digest == digest_of(files):
        return Look(before, before)
    copy = keep_copy(paths, project, files)
    if before is None:
        return Look(None, copy)
    return Look(before, copy, _compared(paths, before, files, allowed))


def of_copy(paths: Paths) -> Look | None:
    """The copy that the stack works by, as it is, whatever the files say; None where it has none."""
    before = load_copy(paths)
    return None if before is None else Look(before, before)


def _compared(
    paths: Paths, before: ProjectCopy, files: dict[str, bytes], allowed: Permission
) -> tuple[str, ...]:
    """What is taken up, in words."""
    from catalog.catalogue import load_catalogue, read_catalogue
    from catalog.pipeline import load_pipeline, read_pipeline
    from expectations.rules import load_suites
    from lakehouse.local_deployment import question_requests
    from lakehouse.project_changes import compare_files, compare_projects

    folder = before.folder(paths)
    own, named = read_pipeline(folder / "catalog" / "pipeline.yaml").name, load_pipeline().name
    if own != named:
        raise UserError(
            f"The stack in {paths.root} is of the project {own}, and this is the project {named}.",
            f"export {VARIABLE}={before.project}, or name another directory with --state.",
        )
    catalogue, pipeline = load_catalogue(), load_pipeline()
    load_suites(catalogue)
    question_requests(pipeline, catalogue)
    others = compare_files(project_files(folder), files)
    if not any(paths.root.glob("s3/*/_commits/*/*")):
        return ("the project as it is now: nothing was captured yet", *others)
    found = compare_projects(read_catalogue(folder / "catalog" / "contracts"), catalogue)
    if found.refused:
        raise _refused(
            "this lake cannot follow",
            found.refused,
            "Take it back; or start anew with it: lakehouse up with another --state and an empty warehouse.",
        )
    if found.to_rebuild and not allowed.rebuild:
        raise _refused(
            "rows of the star that are there would not follow",
            found.to_rebuild,
            "lakehouse rebuild takes it up, and makes star and warehouse again by it; or take it back.",
        )
    if found.to_alter and not allowed.alter:
        command = "rebuild" if found.to_rebuild else "run"
        raise _refused(
            "the warehouse's tables would change",
            found.to_alter,
            f"lakehouse {command} --alter-warehouse takes it up, and lets the next load do so.",
        )
    return (*found.told, *found.to_rebuild, *others)


def _refused(what: str, listed: Sequence[str], remedy: str) -> UserError:
    lines = "".join(f"\n  {one}" for one in listed)
    return UserError(f"The project has changed, and is not taken up: {what}.{lines}\n", remedy)


def environment_of(paths: Paths) -> dict[str, str]:
    """The variables of a stack's process: jobs and it read the copy that the stack works by."""
    copy = load_copy(paths)
    named = {} if copy is None else {VARIABLE: str(copy.folder(paths))}
    return {**os.environ, **named}


def read_what_was_taken_up(paths: Paths) -> bool:
    """Have this process read the project as the stack works by it; whether its files differ by now."""
    copy = load_copy(paths)
    if copy is None:
        return False
    is_changed = copy.digest != digest_of(project_files(project_folder()))
    os.environ[VARIABLE] = str(copy.folder(paths))
    return is_changed
