package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
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
	sizes, err := olderSizes(oldSizes, tree.N)
	if err != nil {
		return err
	}
	stored, bundles, err := readEntries(dir, tree.N)
	if err != nil {
		return err
	}
	if tree.N > 0 {
		if root, err := tlog.TreeHash(tree.N, stored); err != nil || root != tree.Hash {
			return fmt.Errorf("the entries have root %v, the checkpoint %v (%v)", root, tree.Hash, err)
		}
	}
	files, err := checkFiles(dir, tree, stored, bundles)
	if err != nil {
		return err
	}
	proofs, err := checkProofs(dir, tree, stored, sizes)
	if err != nil {
		return err
	}
	fmt.Printf("ok: %d entries, %d files, %d proofs\n", tree.N, files, proofs)
	return nil
}

// olderSizes are those asked for and some that every log has, without 0 (from which there is no proof), in order.
func olderSizes(asked []string, size int64) ([]int64, error) {
	set := map[int64]bool{1: true, 255: true, 256: true, 257: true, 65535: true, 65536: true, 65537: true, size - 1: true, size: true}
	for _, text := range asked {
		old, err := number(text)
		if err != nil {
			return nil, err
		}
		if old > size {
			return nil, fmt.Errorf("the checkpoint has %d entries, less than the %d asked for", size, old)
		}
		set[old] = true
	}
	var sizes []int64
	for old := range set {
		if old > 0 && old <= size {
			sizes = append(sizes, old)
		}
	}
	sort.Slice(sizes, func(i, j int) bool { return sizes[i] < sizes[j] })
	return sizes, nil
}

// bundle is the bytes of an entry bundle, and where each of its entries ends.
type bundle struct {
	data []byte
	ends []int
}

func readEntries(dir string, size int64) (stored hashes, bundles map[int64]bundle, err error) {
	bundles = map[int64]bundle{}
	for n := int64(0); n < size; n += 1 << height {
		tile := tlog.Tile{H: height, L: -1, N: n >> height, W: int(min(size-n, 1<<height))}
		data, err := os.ReadFile(filepath.Join(dir, path(tile)))
		if err != nil {
			return nil, nil, err
		}
		read := bundle{data: data}
		at := 0
		for i := 0; i < tile.W; i++ {
			start := at + 2
			if len(data) < start || len(data) < start+int(binary.BigEndian.Uint16(data[at:])) {
				return nil, nil, fmt.Errorf("%s ends within entry %d", path(tile), n+int64(i))
			}
			at = start + int(binary.BigEndian.Uint16(data[at:]))
			more, err := tlog.StoredHashes(n+int64(i), data[start:at], stored)
			if err != nil {
				return nil, nil, err
			}
			stored = append(stored, more...)
			read.ends = append(read.ends, at)
		}
		if len(data) > at {
			return nil, nil, fmt.Errorf("%s has %d bytes too many", path(tile), len(data)-at)
		}
		bundles[tile.N] = read
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
func checkFiles(dir string, tree tlog.Tree, stored hashes, bundles map[int64]bundle) (count int, err error) {
	if tree.N == 0 {
		return 0, nil
	}
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
		count++
		return checkFile(dir, file, stored, bundles)
	})
	return count, err
}

func checkFile(dir, file string, stored hashes, bundles map[int64]bundle) error {
	name, err := filepath.Rel(dir, file)
	if err != nil {
		return err
	}
	rest := strings.Replace(strings.TrimPrefix(name, "tile/"), "entries/", "data/", 1)
	tile, err := tlog.ParseTilePath("tile/8/" + rest)
	if err != nil {
		return fmt.Errorf("%s is not the name of a tile", name)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if tile.L < 0 {
		all := bundles[tile.N]
		if tile.W > len(all.ends) || !bytes.Equal(all.data[:all.ends[tile.W-1]], data) {
			return fmt.Errorf("%s has other entries than the log", name)
		}
		return nil
	}
	if want, err := tlog.ReadTileData(tile, stored); err != nil || !bytes.Equal(want, data) {
		return fmt.Errorf("%s has other hashes than the entries (%v)", name, err)
	}
	return nil
}

// Up to so many entries, the inclusion of each is proved; of a longer log, of about 500 and of the first of each tile.
const proveAll = 5000

// checkProofs makes proofs from the files alone, authenticated by the checkpoint, and verifies them.
func checkProofs(dir string, tree tlog.Tree, stored hashes, sizes []int64) (count int, err error) {
	reader := tlog.TileHashReader(tree, directory(dir))
	sample := 1 + tree.N/500
	for n := int64(0); n < tree.N; n++ {
		if tree.N > proveAll && n%sample != 0 && n%(1<<height) != 0 && n != tree.N-1 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, stored[tlog.StoredHashIndex(0, n)]); err != nil {
			return 0, fmt.Errorf("entry %d: %w", n, err)
		}
		count++
	}
	// From each size to the next, and from each to that of the checkpoint.
	for i, old := range sizes {
		for _, size := range []int64{sizes[int(min(int64(i+1), int64(len(sizes)-1)))], tree.N} {
			if err := checkConsistency(old, size, stored, reader); err != nil {
				return 0, fmt.Errorf("from size %d to size %d: %w", old, size, err)
			}
			count++
		}
	}
	return count, nil
}

func checkConsistency(old, size int64, stored hashes, reader tlog.HashReader) error {
	oldRoot, err := tlog.TreeHash(old, stored)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(size, stored)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(size, old, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, size, root, old, oldRoot)
}
