"""The course: all its commands, typed where a student types them, print what the lessons show.

    docs/course/regenerate    # write anew what is shown
"""
import atexit
import functools
import os
import re

import course
import doc_commands
import segtest


@functools.cache
def built():
    place = course.programs()
    directory = place.__enter__()
    atexit.register(place.__exit__, None, None, None)
    return directory


@segtest.parameters(*course.PAGES)
def commands_print_what_the_page_shows(page):
    with course.place_of(page, built()) as place:
        assert doc_commands.check(os.path.join(course.DIRECTORY, page), directory=place) >= 3


@segtest.claim
def lessons_are_eight_and_lead_to_one_another():
    assert [lesson[:2] for lesson in course.LESSONS] == [f"{n}-" for n in range(1, 9)]
    texts = {}
    for page in course.PAGES:
        with open(os.path.join(course.DIRECTORY, page), encoding="utf-8") as file:
            texts[page] = file.read()
        for link in re.findall(r"\]\(([^)#]+)\)", texts[page]):
            assert os.path.exists(os.path.join(course.DIRECTORY, link)), (page, link)
    for lesson, following in zip(course.LESSONS, course.LESSONS[1:]):
        assert f"]({following})" in texts[lesson], lesson
    for lesson in course.LESSONS:
        assert f"]({lesson})" in texts["README.md"], lesson
        for part in ("**The question: ", "```console", "## Exercises", "<summary>Answers</summary>"):
            assert part in texts[lesson], (lesson, part)


@segtest.claim
def every_source_is_built_and_a_lesson_leads_to_it():
    with open(os.path.join(segtest.SOURCE, "fixtures", "course", "build"), encoding="utf-8") as file:
        script = file.read()
    text = ""
    for page in course.PAGES:
        with open(os.path.join(course.DIRECTORY, page), encoding="utf-8") as file:
            text += file.read()
    sources = [name for name in os.listdir(os.path.join(built(), "fixtures", "course")) if name.endswith(".c")]
    assert len(sources) >= 8, sources
    for name in sources:
        assert f"](../../fixtures/course/{name})" in text and re.search(rf"\b{name[:-2]}\b", script), name


segtest.main()
