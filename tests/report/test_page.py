"The report's page."


def test_the_page_shows_the_numbers_and_escapes_what_is_from_outside(small):
    from artmint.report.page import report_facts, report_page

    catalog, tiny = small
    told = report_facts(catalog, tiny, 1, range(1, 5))
    made_page = report_page(told, [], [])
    assert made_page.count("<svg") == len(told["plots"]) == 3
    assert "CPFA" in made_page
    assert "EUR" in made_page
    told["spoken"] = [("<script>alert(1)</script>", "1", "&")]
    assert "<script" not in report_page(told, [], [])
    from artmint.report.page import bars

    assert "<script" not in bars("<script>", [("<script>", 1.0, "<script>", "mark")])
