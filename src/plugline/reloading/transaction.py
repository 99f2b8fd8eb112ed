"""Modules whose sources changed to those modules in another version, or to why everything is as it was."""

import gc
from collections.abc import Sequence
from functools import partial
from types import CellType
from typing import Protocol

from plugline.blame import users_own_interrupt
from plugline.errors import PluginRejected
from plugline.findings import Finding
from plugline.loading.effects import Mentions, lists_of_handlers, open_registries
from plugline.loading.running import failure
from plugline.loading.traces import class_values, fingerprint, succeed_effects
from plugline.reloading import lines
from plugline.reloading.adoption import Adoption
from plugline.reloading.codes import words_in
from plugline.reloading.differences import Differences
from plugline.reloading.graft import can_graft, graft
from plugline.reloading.instances import complete_instances, constructors_of
from plugline.reloading.living import reachable_functions
from plugline.reloading.parts import Done, Part, name_of, nothing_done
from plugline.reloading.reach import Reach
from plugline.reloading.references import Young, replace_in
from plugline.reloading.release import release_versions
from plugline.reloading.shadow import Shadow, Trial
from plugline.reloading.withdrawing import Registrations, are_left

_HOLDERS = frozenset({dict, list, tuple, set, partial, CellType})  # not what runs, and what keeps count of patches


class Judge(Protocol):
    """Who knows what the new version has to be, and what else belongs to a generation: a host."""

    def check(self) -> tuple[Finding, ...]:
        """Return what keeps the new version from being taken. Called when it has run, in the thread that sees it."""

    def hand_over(self) -> None:
        """Close what the old version owns, and let the new one open it. What the new one raises passes.

        Called last before the commit, in the thread that sees the new version.
        """

    def forget(self) -> None:
        """Let go of the new version, which is not taken."""

    def take_back(self) -> None:
        """Let the old version open again what it owns, when the new one could not. Called after all else was undone."""

    def shown(self, part: Part) -> str:
        """Return the part's file as messages show it."""


def _untouched(shadow: Shadow) -> list[str]:
    """Return the variables that are as they were when the new version had run."""
    names, module = shadow.new, shadow.trace.name
    state = shadow.trace.state.items()
    return [name for name, was in state if name in names and fingerprint(names[name], module) == was]


def all_grafts(parts: Sequence[Part]) -> bool:
    """Whether new bodies on living functions are all that it takes."""
    return all(can_graft(part) for part in parts if part.changed)


def put_bodies(parts: Sequence[Part]) -> Done:
    """Do that."""
    done = nothing_done()
    changed = [part for part in parts if part.changed]
    graft(changed, done)
    for part in changed:
        complete_instances(part, part.names, done, None)
    return done


class _LeftOut(Exception):
    """The trial has to be made again without what the old version registered."""


class Transaction:
    """One reload of modules that run again.

    It is whole or not at all: what it raises, and what it returns as findings, has left everything as it was.
    """

    def __init__(self, parts: Sequence[Part], judge: Judge) -> None:
        """Nothing is run yet.

        Args:
            parts: In the order in which they run; what one imports of the others runs before it.
        """
        self._parts = tuple(parts)
        self._judge = judge
        own = {id(part.names) for part in parts}
        self._reach = Reach(lambda names: id(names) in own, frozenset(part.name for part in parts))
        self._words: dict[str, frozenset[str]] = {}
        self._mentions: dict[str, Mentions] = {}
        self._young = Young()
        self._handing_over = False
        self._again: Registrations | None = None  # what is withdrawn in a second trial

    def run(self) -> Done | tuple[Finding, ...]:
        """Try the new version, and put it in force where it holds."""
        self._look_around()
        self._young.begin()
        try:
            shadows, result = self._round()
            if self._again is not None:
                self._again.withdraw()
                shadows, result = self._round()
        finally:
            self._young.end()
        if isinstance(result, Done):
            self._reach.forget()
            self._release(shadows)
        if not isinstance(result, Done) and self._handing_over:
            for part in self._parts:
                if part.changed:
                    lines.hold(part.trace.path, part.trace.content)
            # What the new version had opened, and nobody else holds, is closed by now.
            self._judge.take_back()
        return result

    def _round(self) -> tuple[list[Shadow], Done | tuple[Finding, ...]]:
        shadows = []
        for part in self._parts:
            shadows.append(Shadow(part.module, part.loader, part.new_trace()))
            shadows[-1].trace.words = self._words[part.name]
            shadows[-1].trace.mentions = self._mentions[part.name]
            if part.changed:
                lines.follow(part.path)
        result = self._try(Trial(shadows))
        if not isinstance(result, Done):
            # While only what the trial made is looked at this is quick, and classes leave no trace in those above them.
            shadows.clear()
            self._judge.forget()
            gc.collect()
        return shadows, result

    def _release(self, shadows: list[Shadow]) -> None:
        """Let go of the old version, or, where somebody has something of it, let it have its own lines."""
        retired = [(shadow.new, shadow.old) for shadow in shadows]  # each module has the names of the other by now
        classes = [held for shadow in shadows for held in shadow.trace.dismissed]
        shadows.clear()
        for part, released in zip(self._parts, release_versions(retired, classes), strict=True):
            if not released:
                lines.retire(part.trace.code, part.trace.content, part.generation)

    def _look_around(self) -> None:
        sources: list[Mentions] = []
        for part in self._parts:
            old = part.trace.words if part.trace.words is not None else words_in(part.trace.code)
            new = self._words[part.name] = old if part.comparison.same_words else words_in(part.code)
            self._reach.look(old if new is old else new | old, part.names)
            for constant in part.code.co_consts:
                if constant.__class__ is str and constant in part.names:  # what may be the name of something kept
                    self._reach.look_at(part.names[constant])
            before = part.trace.mentions = part.trace.mentions or Mentions(part.trace.content)
            self._mentions[part.name] = Mentions(part.content, before) if part.changed else before
            sources += (before, self._mentions[part.name])
        for container in lists_of_handlers(sources):
            self._reach.keep(container)
        for container in open_registries(sources):
            self._reach.look_at(container)

    def _try(self, trial: Trial) -> Done | tuple[Finding, ...]:
        refused: BaseException | None = None
        with trial:
            try:
                trial.run()
                if self._is_left_out(trial):
                    raise _LeftOut  # noqa: TRY301 - as what fails
                self._see_through_patches(trial)
                findings = self._judge.check()
                if not findings:
                    self._handing_over = True
                    self._reach.mark()
                    self._judge.hand_over()
                    return self._commit(trial)
            except PluginRejected as error:
                findings = error.findings
            except BaseException as error:
                trial.look_at_what_is_in_force()
                if users_own_interrupt(error):
                    self._undo(trial)
                    if self._handing_over:
                        self._judge.take_back()
                    raise
                findings = (self._failure(error),)
                if not self._handing_over and not self._is_own_fault(error):
                    refused = error
        self._undo(trial)
        if refused is not None and self._again is None:
            # What was registered is there again by now.
            self._again = Registrations(self._parts, self._reach) or None
        return findings

    def _is_left_out(self, trial: Trial) -> bool:
        """Whether somebody who looks before taking something has not taken what the new version registers, as far as that can be seen."""
        return self._again is None and are_left(self._parts, trial.shadows, self._reach)

    def _is_own_fault(self, error: BaseException) -> bool:
        """Whether what failed is a line of one of the modules, and none of those that they call."""
        entry = error.__traceback__
        while entry is not None and entry.tb_next is not None:
            entry = entry.tb_next
        paths = {part.path for part in self._parts}
        return not isinstance(error, _LeftOut) and (entry is None or entry.tb_frame.f_code.co_filename in paths)

    def _see_through_patches(self, trial: Trial) -> None:
        """Let a version that wraps what somebody else has wrap that, and not what the version before has made of it."""
        wanted: dict[int, object] = {}
        found: list[object] = []
        made: list[object] = []
        for part, shadow in zip(self._parts, trial.shadows, strict=True):
            if part.trace.effects is None or shadow.trace.effects is None:
                continue
            for was, seen, before in shadow.trace.effects.taken_over(part.trace.effects, part.name):
                found.append(seen)
                wanted[id(seen)] = wanted.get(id(before), before)
                made.append(was)
        if not found:
            return
        holders: list[object] = [shadow.new for shadow in trial.shadows]
        if self._young.aside:
            holders += [one for one in gc.get_referrers(*found) if type(one) in _HOLDERS and one is not found]
        else:
            values = [*made, *(value for shadow in trial.shadows for value in tuple(shadow.new.values()))]
            holders += [cell for function in reachable_functions(values) for cell in function.__closure__ or ()]
        for holder in holders:
            replace_in(holder, wanted)
        for shadow in trial.shadows:
            state = shadow.trace.state
            state |= {
                name: fingerprint(value, shadow.trace.name)
                for name, value in shadow.new.copy().items()
                if name in state
            }

    def _failure(self, error: BaseException) -> Finding:
        """Return the finding for what was raised, at the part of the deepest line that is one's."""
        for part in self._parts:
            if part.changed:
                lines.hold(part.path, part.content)  # what was run, whatever is in the file by now
        blamed = self._parts[0]
        by_path = {part.path: part for part in self._parts}
        entry = error.__traceback__
        while entry is not None:
            blamed = by_path.get(entry.tb_frame.f_code.co_filename, blamed)
            entry = entry.tb_next
        return failure(error, blamed.path, self._judge.shown(blamed), "while it was reloaded")

    def _undo(self, trial: Trial) -> None:
        for shadow in reversed(trial.done):
            shadow.trace.undo_effects()
        self._reach.restore()

    def _commit(self, trial: Trial) -> Done:
        done = nothing_done()
        pairs = list(zip(self._parts, trial.shadows, strict=True))
        differences = [Differences(part.names, shadow.new, part, shadow.kept) for part, shadow in pairs]
        trial.look_at_what_is_in_force()
        # Where no class is defined in another way, nor derives from what is, only a body can have changed what is constructed.
        redefined = not all(part.comparison.same_classes for part in self._parts)
        constructors = [constructors_of(part.names, part.name) if redefined else None for part in self._parts]
        untouched = [_untouched(shadow) for shadow in trial.shadows]
        adoption = Adoption(pairs, self._reach, self._young)
        adoption.commit(done)
        for (part, shadow), names in zip(pairs, untouched, strict=True):
            # What was put in the place of new objects is no change that somebody made.
            now, state, module = part.names, shadow.trace.state, shadow.trace.name
            state |= {name: fingerprint(now[name], module) for name in names}
            if any(content for name, (_, content) in state.items() if "." in name):  # in containers
                state |= {name: fingerprint(value, module) for name, value in class_values(now, module).items()}
        for (part, shadow), before in zip(pairs, constructors, strict=True):
            complete_instances(part, shadow.module.__dict__, done, before)
        for shadow in reversed(trial.done):
            part = next(part for part, other in pairs if other is shadow)
            if shadow.trace.effects is not None:
                shadow.trace.effects.follow(adoption.canonical)
            succeed_effects(shadow.trace, part.trace)
        for (part, shadow), difference in zip(pairs, differences, strict=True):
            self._tell(done, part, difference, shadow.kept)
        return done

    def _tell(self, done: Done, part: Part, difference: Differences, kept: Sequence[str]) -> None:
        for all_names, found in (
            (done.added, difference.added),
            (done.changed, difference.changed),
            (done.removed, difference.removed),
            (done.kept, kept),
            (done.lost, difference.lost),
        ):
            all_names.extend(name_of(part, name) for name in found)
