package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Height of the tiles of C2SP tlog-tiles.
const height = 8

// directory reads tiles as files.
type directory string

func (d directory) Height() int                     { return height }
func (d directory) SaveTiles([]tlog.Tile, [][]byte) {}

func (d directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(d), path(tile)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// path of a tile in C2SP tlog-tiles: that of x/mod without the height, and "entries" for "data".
func path(tile tlog.Tile) string {
	rest := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(rest, "data/", "entries/", 1)
}

// hashes are those of x/mod's storage order.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(h)) {
			return nil, fmt.Errorf("no stored hash %d", index)
		}
		out[i] = h[index]
	}
	return out, nil
}

func checkLog(dir, vkey string, oldSizes []string) error {
	note, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(note, vkey)
	if err != nil {
		return err
	}
	stored, bundles, err := readEntries(dir, tree.N)
	if err != nil {
		return err
	}
	if root, err := tlog.TreeHash(tree.N, stored); err != nil || root != tree.Hash {
		return fmt.Errorf("the entries have root %v, the checkpoint %v (%v)", root, tree.Hash, err)
	}
	files, err := checkFiles(dir, tree, stored, bundles)
	if err != nil {
		return err
	}
	proofs, err := checkProofs(dir, tree, stored, oldSizes)
	if err != nil {
		return err
	}
	fmt.Printf("ok: %d entries, %d files, %d proofs\n", tree.N, files, proofs)
	return nil
}

func readEntries(dir string, size int64) (stored hashes, bundles map[int64][]byte, err error) {
	bundles = map[int64][]byte{}
	for n := int64(0); n < size; n += 1 << height {
		tile := tlog.Tile{H: height, L: -1, N: n >> height, W: int(min(size-n, 1<<height))}
		data, err := os.ReadFile(filepath.Join(dir, path(tile)))
		if err != nil {
			return nil, nil, err
		}
		bundles[tile.N] = data
		for i := 0; i < tile.W; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, nil, fmt.Errorf("%s ends within entry %d", path(tile), n+int64(i))
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			more, err := tlog.StoredHashes(n+int64(i), data[2:end], stored)
			if err != nil {
				return nil, nil, err
			}
			stored = append(stored, more...)
			data = data[end:]
		}
		if len(data) > 0 {
			return nil, nil, fmt.Errorf("%s has %d bytes too many", path(tile), len(data))
		}
	}
	return stored, bundles, nil
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

// checkFiles compares every tile that must be there, and every file that is, with what x/mod makes of the entries.
func checkFiles(dir string, tree tlog.Tree, stored hashes, bundles map[int64][]byte) (count int, err error) {
	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		// Of the partial tiles, only those of the checkpoint's own size must be there: a log grows by batches.
		if tile.W < 1<<height && tile.N<<height+int64(tile.W) != tree.N>>(height*tile.L) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, path(tile))); err != nil {
			return 0, err
		}
	}
	err = filepath.WalkDir(filepath.Join(dir, "tile"), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, file)
		rest := strings.Replace(strings.TrimPrefix(name, "tile/"), "entries/", "data/", 1)
		tile, err := tlog.ParseTilePath("tile/8/" + rest)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		count++
		if tile.L < 0 {
			if !bytes.HasPrefix(bundles[tile.N], data) {
				return fmt.Errorf("%s has other entries than the log", name)
			}
			return nil
		}
		if want, err := tlog.ReadTileData(tile, stored); err != nil || !bytes.Equal(want, data) {
			return fmt.Errorf("%s has other hashes than the entries (%v)", name, err)
		}
		return nil
	})
	return count, err
}

// checkProofs makes proofs from the files alone, authenticated by the checkpoint, and verifies them.
func checkProofs(dir string, tree tlog.Tree, stored hashes, oldSizes []string) (count int, err error) {
	reader := tlog.TileHashReader(tree, directory(dir))
	for n := int64(0); n < tree.N; n += 1 + tree.N/500 {
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, stored[tlog.StoredHashIndex(0, n)]); err != nil {
			return 0, fmt.Errorf("entry %d: %w", n, err)
		}
		count++
	}
	for _, text := range oldSizes {
		old, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		oldRoot, err := tlog.TreeHash(old, stored)
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveTree(tree.N, old, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old, oldRoot); err != nil {
			return 0, fmt.Errorf("old size %d: %w", old, err)
		}
		count++
	}
	return count, nil
}
