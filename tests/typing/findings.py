"""What a finding tells, typed."""

from typing import assert_type

from plugline.findings import Finding, Place

place = Place("plugins/clean.py", 3)
assert_type(place.path, str)
assert_type(place.line, int | None)

finding = Finding("P103", "needs the module 'rapidfuzz', which is not installed", place)
assert_type(finding.place, Place)
assert_type(finding.hint, str | None)
place.line = "three"  # type: ignore[assignment]
