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
    let table: [(&str, Prepare, &str, bool); 10] = [
        (
            "readable by all",
            |config| {
                put(config, br#"{"apiKey": "s3cret"}"#);
                fs::set_permissions(&config.path, fs::Permissions::from_mode(0o644)).unwrap();
            },
            "others can use this file (mode 0644), mend it with: chmod 600 PATH",
            false,
        ),
        (
            "writable by the group",
            |config| {
                put(config, br#"{"apiKey": "s3cret"}"#);
                fs::set_permissions(&config.path, fs::Permissions::from_mode(0o620)).unwrap();
            },
            "others can use this file (mode 0620), mend it with: chmod 600 PATH",
            false,
        ),
        (
            "a link to a file",
            |config| {
                put(config, b"{}");
                fs::rename(&config.path, config.path.with_extension("old")).unwrap();
                symlink(config.path.with_extension("old"), &config.path).unwrap();
            },
            "this is a symbolic link, expected a file",
            true,
        ),
        (
            "a link to nothing",
            |config| {
                private_directory(config.path.parent().unwrap()).unwrap();
                symlink("nowhere", &config.path).unwrap();
            },
            "this is a symbolic link, expected a file",
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
fn the_command_that_mends_a_file_does_so() {
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
