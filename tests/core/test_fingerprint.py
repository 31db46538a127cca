from framecast.core.fingerprint import sizes_below


def test_sizes_of_files_in_folders_that_lead_around_in_circles(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"123")
    (tmp_path / "top").write_bytes(b"1")
    for name in ("one", "two"):
        (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
    assert sorted(sizes_below(tmp_path)) == [("a/b/file", 3), ("top", 1)]
