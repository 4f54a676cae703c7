#![allow(clippy::print_stderr, reason = "what is not run is said")]

use std::{
    ffi::OsString,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Child, Command, Stdio},
};

use super::*;

fn config(home: &Path) -> ConfigFile {
    ConfigFile { path: home.join("made/acme/config.json"), member: "apiKey".into() }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A file with this text that is the user's alone.
fn put(config: &ConfigFile, text: &[u8]) {
    private_directory(config.path.parent().unwrap()).unwrap();
    fs::write(&config.path, text).unwrap();
    fs::set_permissions(&config.path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Moves the file away, gives it this mode, and puts a link in its place.
fn linked(config: &ConfigFile, mode: u32) {
    let target = config.path.with_extension("old");
    fs::rename(&config.path, &target).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
    symlink(target, &config.path).unwrap();
}

fn token(config: &ConfigFile) -> Result<String, String> {
    match config.read() {
        Ok(Stored::Token(text, _)) => Ok(text.to_string()),
        Ok(Stored::Absent(absent)) => Err(absent.to_string()),
        Err(error) => Err(error.fault.to_string()),
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.collect()
}

#[test]
fn a_token_is_written_read_and_removed_for_the_user_alone() {
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    let directory = config.path.parent().unwrap().to_owned();
    assert_eq!(token(&config), Err(format!("{} does not exist", config.path.display())));
    assert_eq!(config.remove().unwrap(), Removed::Nothing);

    config.write("one").unwrap();
    assert_eq!(token(&config), Ok("one".into()));
    assert_eq!((mode(&config.path), mode(&directory), mode(&home.path().join("made"))), (0o600, 0o700, 0o700));
    assert_eq!(names_in(&directory), ["config.json"]);

    config.write("two").unwrap();
    assert_eq!(token(&config), Ok("two".into()));
    assert_eq!(config.remove().unwrap(), Removed::File);
    assert!(names_in(&directory).is_empty());
}

#[test]
fn other_members_outlive_the_token() {
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    put(&config, br#"{"theme": "dark", "n": 1.50}"#);
    assert_eq!(token(&config), Err(format!("{} has no `apiKey`", config.path.display())));
    config.write("one").unwrap();
    assert_eq!(config.remove().unwrap(), Removed::Member);
    assert_eq!(fs::read_to_string(&config.path).unwrap(), "{\n  \"theme\": \"dark\",\n  \"n\": 1.50\n}\n");
    assert_eq!(mode(&config.path), 0o600);
    assert_eq!(config.remove().unwrap(), Removed::Nothing);
}

#[test]
fn a_directory_that_is_there_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    let directory = config.path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    config.write("one").unwrap();
    assert_eq!((mode(directory), mode(&config.path)), (0o755, 0o600));
}

/// What stands in the way, what is said of it, and whether removing is refused as well.
#[test]
fn what_is_in_the_way_is_told_and_left_as_it_is() {
    type Prepare = fn(&ConfigFile);
    let table: [(&str, Prepare, &str, bool); 17] = [
        (
            "readable by all",
            |config| {
                put(config, br#"{"apiKey": "s3cret"}"#);
                fs::set_permissions(&config.path, fs::Permissions::from_mode(0o644)).unwrap();
            },
            "others can use this file (mode 0644), fix it with: chmod 600 PATH",
            false,
        ),
        (
            "writable by the group",
            |config| {
                put(config, br#"{"apiKey": "s3cret"}"#);
                fs::set_permissions(&config.path, fs::Permissions::from_mode(0o620)).unwrap();
            },
            "others can use this file (mode 0620), fix it with: chmod 600 PATH",
            false,
        ),
        (
            "a link to a file that all can read",
            |config| {
                put(config, br#"{"apiKey": "s3cret"}"#);
                linked(config, 0o644);
            },
            "others can use this file (mode 0644), fix it with: chmod 600 TARGET",
            false,
        ),
        (
            "a link to nothing",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("nowhere", &config.path).unwrap();
            },
            "this symbolic link leads to nowhere, where there is no file",
            true,
        ),
        (
            "a link to a link to nothing",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("nowhere", config.path.with_extension("next")).unwrap();
                symlink(config.path.with_extension("next"), &config.path).unwrap();
            },
            "this symbolic link leads to NEXT, where there is no file",
            true,
        ),
        (
            "a link to itself",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("config.json", &config.path).unwrap();
            },
            "Too many levels of symbolic links (os error 40)",
            true,
        ),
        (
            "a link to a directory",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("..", &config.path).unwrap();
            },
            "this is not a file",
            true,
        ),
        (
            "a link to a device",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("/dev/null", &config.path).unwrap();
            },
            "this is not a file",
            true,
        ),
        (
            "utf-16",
            |config| put(config, b"\xff\xfe{\0}\0"),
            "this is utf-16 text, expected utf-8: save it again in that encoding",
            true,
        ),
        (
            "utf-16 of the other order",
            |config| put(config, b"\xfe\xff\0{\0}"),
            "this is utf-16 text, expected utf-8: save it again in that encoding",
            true,
        ),
        (
            "two byte-order marks",
            |config| put(config, "\u{feff}\u{feff}{}".as_bytes()),
            "not valid json at line 1, column 1",
            true,
        ),
        ("a directory", |config| fs::create_dir_all(&config.path).unwrap(), "this is not a file", true),
        (
            "a pipe",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                assert!(Command::new("mkfifo").arg(&config.path).status().unwrap().success());
            },
            "this is not a file",
            true,
        ),
        ("no json", |config| put(config, b"{\"apiKey\": s3cret}"), "not valid json at line 1, column 12", true),
        ("no text", |config| put(config, b"{\n\"a\": \"\xff\"}"), "not valid json at line 2, column 7", true),
        ("a list", |config| put(config, b"[]"), "not a json object", true),
        ("too much", |config| put(config, &vec![b' '; 64 * 1024 + 1]), "this is larger than 65536 bytes", true),
    ];
    for (name, prepare, expected, refuses_removal) in table {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        prepare(&config);
        let expected = expected.replace("PATH", &config.path.display().to_string());
        let beside = |extension: &str| config.path.with_extension(extension).display().to_string();
        let expected = expected.replace("TARGET", &beside("old")).replace("NEXT", &beside("next"));
        assert_eq!(token(&config), Err(expected.clone()), "{name}");
        assert_eq!(config.check().unwrap_err().fault.to_string(), expected, "{name}");
        let error = config.write("new").unwrap_err();
        assert_eq!(error.fault.to_string(), expected, "{name}");
        assert!(!format!("{error:?}").contains("s3cret"), "{name}");
        assert_eq!(token(&config), Err(expected), "{name}: it was changed");
        assert_eq!(config.remove().is_err(), refuses_removal, "{name}");
    }
}

#[test]
fn link_to_a_private_file_is_followed_and_stays() {
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    put(&config, br#"{"theme": "dark"}"#);
    linked(&config, 0o600);
    config.check().unwrap();
    config.write("one").unwrap();
    assert_eq!(token(&config), Ok("one".into()));
    let target = config.path.with_extension("old");
    assert!(config.path.is_symlink() && target.is_file());
    assert_eq!(mode(&target), 0o600);
    assert_eq!(config.remove().unwrap(), Removed::Member);
    assert_eq!(fs::read_to_string(&target).unwrap(), "{\n  \"theme\": \"dark\"\n}\n");
    // Nothing else in it: the file and the link stay all the same, since somebody has put them there.
    put(&ConfigFile { path: target.clone(), ..config.clone() }, br#"{"apiKey": "one"}"#);
    assert_eq!(config.remove().unwrap(), Removed::Member);
    assert!(config.path.is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "{}\n");
    config.write("two").unwrap();
    assert_eq!(token(&config), Ok("two".into()));
    // Through a relative link to a link, too.
    fs::rename(&config.path, config.path.with_extension("link")).unwrap();
    symlink("config.link", &config.path).unwrap();
    config.write("three").unwrap();
    assert_eq!((token(&config), config.path.is_symlink()), (Ok("three".into()), true));
}

/// Only the superuser can give a file away.
#[test]
fn link_to_a_file_of_another_user_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT RUN: only the superuser can make a file of another user");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    put(&config, br#"{"apiKey": "s3cret"}"#);
    linked(&config, 0o600);
    let target = config.path.with_extension("old");
    std::os::unix::fs::chown(&target, Some(12345), None).unwrap();
    let expected = format!(
        "this symbolic link leads to {}, which belongs to user 12345, expected a file of your own",
        target.display()
    );
    assert_eq!(token(&config), Err(expected.clone()));
    assert_eq!(config.write("new").unwrap_err().fault.to_string(), expected);
    assert_eq!(fs::read(&target).unwrap(), br#"{"apiKey": "s3cret"}"#);
}

#[test]
fn byte_order_mark_is_read_over_and_gone_once_written() {
    for (text, before, after) in [
        ("\u{feff}{\"apiKey\": \"one\"}\r\n", Ok("one"), "{\n  \"apiKey\": \"two\"\n}\n"),
        (
            "\u{feff}{\"theme\": \"dark\"}",
            Err("has no `apiKey`"),
            "{\n  \"theme\": \"dark\",\n  \"apiKey\": \"two\"\n}\n",
        ),
        ("\u{feff}", Err("has no `apiKey`"), "{\n  \"apiKey\": \"two\"\n}\n"),
        ("", Err("has no `apiKey`"), "{\n  \"apiKey\": \"two\"\n}\n"),
        (" \r\n", Err("has no `apiKey`"), "{\n  \"apiKey\": \"two\"\n}\n"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        put(&config, text.as_bytes());
        match (token(&config), before) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text:?}"),
            (Err(found), Err(expected)) => assert!(found.ends_with(expected), "{text:?}: {found}"),
            (found, expected) => panic!("{text:?}: {found:?}, expected {expected:?}"),
        }
        config.check().unwrap();
        config.write("two").unwrap();
        assert_eq!(fs::read_to_string(&config.path).unwrap(), after, "{text:?}");
    }
}

/// Names the file in a process of this program that has it mounted by itself.
const MOUNTED: &str = "COUNTERFOIL_CLIENT_TEST_MOUNTED";

/// As a container mounts one file: it can be written, and neither replaced nor removed.
#[test]
fn file_that_is_mounted_by_itself_is_written_in_place() {
    if let Some(path) = std::env::var_os(MOUNTED) {
        let config = ConfigFile { path: path.into(), member: "apiKey".into() };
        let renamed = fs::rename(&config.path, config.path.with_extension("away")).unwrap_err();
        assert_eq!(renamed.kind(), ErrorKind::ResourceBusy);
        config.write("a token that is longer than what was there").unwrap();
        assert_eq!(token(&config), Ok("a token that is longer than what was there".into()));
        config.write("one").unwrap();
        assert_eq!(token(&config), Ok("one".into()));
        assert_eq!(names_in(config.path.parent().unwrap()), ["config.json"]);
        assert_eq!(config.remove().unwrap(), Removed::Member);
        assert_eq!(fs::read_to_string(&config.path).unwrap(), "{}\n");
        config.write("two").unwrap();
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    put(&config, b"");
    let outside = home.path().join("outside.json");
    fs::write(&outside, "{}").unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = Command::new("unshare")
        .args(["--mount", "sh", "-c", r#"mount --bind "$1" "$2" || exit 77; shift 2; exec "$@""#, "sh"])
        .args([&outside, &config.path])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "config_file::tests::file_that_is_mounted_by_itself_is_written_in_place"])
        .env(MOUNTED, &config.path)
        .output();
    match ran {
        Ok(ran) if ran.status.success() => {
            assert_eq!(fs::read_to_string(&outside).unwrap(), "{\n  \"apiKey\": \"two\"\n}\n");
        }
        Ok(ran) if ran.status.code() == Some(101) => panic!("{}", String::from_utf8_lossy(&ran.stderr)),
        _ => eprintln!("NOT RUN: nothing can be mounted here"),
    }
}

#[test]
fn the_command_that_fixes_a_file_does_so() {
    let home = tempfile::tempdir().unwrap();
    let config = ConfigFile { path: home.path().join("it's a\t$HOME/config.json"), member: "apiKey".into() };
    config.write("one").unwrap();
    fs::set_permissions(&config.path, fs::Permissions::from_mode(0o666)).unwrap();
    let Err(FileError { fault: FileFault::Exposed { command, mode: 0o666 }, .. }) = config.read() else {
        panic!("the file was read");
    };
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    assert_eq!(token(&config), Ok("one".into()));
}

/// Names the file in a process of this program that is only to write.
const WRITES: &str = "COUNTERFOIL_CLIENT_TEST_FILE";

/// Writes tokens in turn until the process is ended.
fn write_for_ever(path: OsString) {
    let config = ConfigFile { path: path.into(), member: "apiKey".into() };
    for token in ["one", "two"].iter().cycle() {
        config.write(token).unwrap();
    }
}

/// This program once more, with nothing taken from the rights that it may give: the next test, which only writes there.
fn writer(path: &Path) -> Child {
    Command::new("sh")
        .args(["-c", r#"umask 000; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "config_file::tests::who_is_killed_while_writing_leaves_the_old_file_or_the_new_one"])
        .env(WRITES, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn who_is_killed_while_writing_leaves_the_old_file_or_the_new_one() {
    if let Some(path) = std::env::var_os(WRITES) {
        return write_for_ever(path);
    }
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    for _ in 0..20 {
        config.write("before").unwrap();
        let mut child = writer(&config.path);
        while token(&config) == Ok("before".into()) {
            assert!(child.try_wait().unwrap().is_none(), "the writer has ended");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let found = token(&config).unwrap();
        assert!(["one", "two"].contains(&found.as_str()), "{found}");
    }
}

#[test]
fn nothing_that_is_written_is_ever_open_to_others() {
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path());
    let directory = config.path.parent().unwrap().to_owned();
    let mut child = writer(&config.path);
    let mut seen = 0;
    while seen < 100 {
        assert!(child.try_wait().unwrap().is_none(), "the writer has ended");
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let temporary = entry.path() != config.path;
            let Ok(metadata) = entry.metadata() else { continue }; // renamed in between
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
            seen += usize::from(temporary);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(mode(&directory), 0o700);
}
