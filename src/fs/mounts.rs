//! Whether a file is itself a mount point, as a single file bind-mounted into a container is.

use std::{fs, path::Path};

/// Whether a canonical path is a mount point, by Linux's `/proc/self/mountinfo` (proc(5)); `false` where there is none.
///
/// Device numbers would not tell: a bind mount within one file system keeps them.
pub fn is_mount_point(path: &Path) -> bool {
    fs::read_to_string("/proc/self/mountinfo").is_ok_and(|table| lists(&table, path))
}

fn lists(table: &str, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    table.lines().filter_map(|line| line.split(' ').nth(4)).any(|point| unescape(point) == path)
}

/// The table writes space, tab, newline and backslash as three octal digits after a backslash.
fn unescape(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_file_is_found_by_its_path_alone() {
        let table = "36 35 98:0 /host/a.json /workspace/my\\040creds/a.json rw,noatime - ext4 /dev/root rw\n";
        assert!(lists(table, Path::new("/workspace/my creds/a.json")));
        assert!(!lists(table, Path::new("/host/a.json")));
        assert!(!lists(table, Path::new("/workspace/my creds")));
    }
}
