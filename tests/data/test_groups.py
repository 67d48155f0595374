from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.data.groups import find_groups


def test_images_of_one_lesion_are_one_group(toy_records):
    groups = find_groups(toy_records(["b", "a", "b", "c"], ["nv"] * 4))
    assert groups.tolist() == ["b", "a", "b", "c"]
    assert groups.dtype == object


def test_a_pair_joins_two_lesions_under_the_smaller_name(toy_records):
    records = toy_records(["b", "a", "b", "c"], ["nv"] * 4)
    assert find_groups(records, [("i002", "i003")]).tolist() == ["b", "a", "b", "b"]
    assert find_groups(records, [("i003", "i001")]).tolist() == ["b", "a", "b", "a"]


def test_chains_of_pairs_are_followed(toy_records):
    records = toy_records(list("dcba"), ["nv"] * 4, pairs=[("i000", "i001"), ("i001", "i002")])
    assert find_groups(records).tolist() == ["b", "b", "b", "a"]
    assert find_groups(records, [("i002", "i003")]).tolist() == ["a"] * 4


def test_pairs_with_absent_images_and_with_oneself_are_passed_over(toy_records):
    records = toy_records(list("ab"), ["nv"] * 2, pairs=[("i000", "elsewhere"), ("i001", float("nan"))])
    assert find_groups(records, [("elsewhere", "i001"), ("i000", "i000")]).tolist() == ["a", "b"]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_groups_are_the_finest_that_part_no_link(toy_records, data):
    """Against the plainest algorithm there is: join until nothing changes."""
    lesions = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=25))
    image = st.integers(0, len(lesions) - 1)
    pairs = data.draw(st.lists(st.tuples(image, image), max_size=10))
    expected = list(lesions)
    changed = True
    while changed:
        changed = False
        links = pairs + [(i, j) for i, a in enumerate(lesions) for j, b in enumerate(lesions) if a == b]
        for i, j in links:
            smaller = min(expected[i], expected[j])
            changed |= expected[i] != expected[j]
            expected[i] = expected[j] = smaller
    records = toy_records(lesions, ["nv"] * len(lesions))
    named = [(f"i{i:03d}", f"i{j:03d}") for i, j in pairs]
    assert find_groups(records, named).tolist() == expected


def test_images_of_one_patient_are_one_group_and_those_without_one_are_not(toy_records):
    records = toy_records(list("fedcba"), ["nv"] * 6)
    table = records.table.assign(patient_id=["p", "q", "p", None, None, "q"])
    assert find_groups(replace(records, table=table)).tolist() == ["d", "a", "d", "c", "b", "a"]
    assert find_groups(replace(records, table=table), [("i003", "i000")]).tolist() == ["c", "a", "c", "c", "b", "a"]
