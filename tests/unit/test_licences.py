from likeness.licences import strictest_first


def test_the_strictest_licence_comes_first() -> None:
    order = strictest_first(["MIT AND CC0-1.0", "CC-BY-NC-SA-4.0", "Apache-2.0", "MIT"])
    assert order == ["CC-BY-NC-SA-4.0", "Apache-2.0", "MIT", "CC0-1.0"]


def test_an_unknown_licence_is_stricter_than_share_alike() -> None:
    assert strictest_first(["GPL-3.0-or-later", "not stated"])[0] == "not stated"
