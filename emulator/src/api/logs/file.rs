//! A log's files: the present one, and those that were set aside when it grew too large.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom},
};

/// All files of a log that are there, oldest first; the present one is the last.
pub(super) async fn files(path: &Path) -> Vec<PathBuf> {
    let mut rotated = Vec::new();
    if let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
        && let Ok(mut entries) = tokio::fs::read_dir(folder).await
    {
        let prefix = format!("{name}.");
        while let Ok(Some(entry)) = entries.next_entry().await {
            let other = entry.file_name();
            let is_older = other
                .to_str()
                .and_then(|other| other.strip_prefix(&prefix))
                .is_some_and(|end| end.starts_with(|c: char| c.is_ascii_digit()) && !end.ends_with(".gz"));
            if let (true, Ok(metadata)) = (is_older, entry.metadata().await) {
                rotated.push((metadata.modified().ok(), entry.path()));
            }
        }
    }
    // Numbers in names count backwards, times forwards: the last write to each tells their order.
    rotated.sort();
    let mut files: Vec<PathBuf> = rotated.into_iter().map(|(_, path)| path).collect();
    files.push(path.to_owned());
    files
}

/// Where the last `lines` lines of a file begin, and how many lines it has from there.
pub(super) async fn tail(file: &mut File, lines: u64) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 16 * 1024;
    let length = file.seek(SeekFrom::End(0)).await?;
    if lines == 0 {
        return Ok((length, 0));
    }
    let mut end = length;
    let mut found = 0;
    let mut block = vec![0; BLOCK as usize];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let size = usize::try_from(end - start).unwrap_or_default();
        file.seek(SeekFrom::Start(start)).await?;
        file.read_exact(&mut block[..size]).await?;
        for at in (0..size).rev() {
            // The break that ends the file ends its last line; it begins none.
            let position = start + at as u64;
            if block[at] == b'\n' && position + 1 != length {
                found += 1;
                if found == lines {
                    return Ok((position + 1, lines));
                }
            }
        }
        end = start;
    }
    Ok((0, if length > 0 { found + 1 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_found_from_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        std::fs::write(&path, "a\nbb\nccc\n").unwrap();
        let mut file = File::open(&path).await.unwrap();
        assert_eq!(tail(&mut file, 0).await.unwrap(), (9, 0));
        assert_eq!(tail(&mut file, 1).await.unwrap(), (5, 1));
        assert_eq!(tail(&mut file, 2).await.unwrap(), (2, 2));
        assert_eq!(tail(&mut file, 9).await.unwrap(), (0, 3));
    }

    #[tokio::test]
    async fn rotated_files_come_first_and_compressed_ones_not() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["1.log", "0.log", "0.log.1", "0.log.2", "0.log.3.gz"]
            .iter()
            .enumerate()
        {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 - age as u64);
            file.set_modified(written).unwrap();
        }
        let names: Vec<String> = files(&folder.path().join("0.log"))
            .await
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["0.log.2", "0.log.1", "0.log"]);
    }
}
