// make-vectors DIR writes the test vectors of tests/vectors/tlog that golang.org/x/mod/sumdb can make: keys, notes, roots and proofs
// by an implementation that nobody of this project wrote. Ed25519 is deterministic, so a second run writes the same bytes.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: make-vectors DIR")
		os.Exit(2)
	}
	dir := os.Args[1]
	published(dir)
	rfc6962(dir)
	numbered(dir)
}

// The leaves of the tests of transparency-dev/merkle and of Certificate Transparency before it.
func rfc6962(dir string) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	var text strings.Builder
	var log tree
	fmt.Fprintf(&text, "# size, last leaf (hex), root (hex)\n0 - %s\n", hexOf(log.root(0)))
	for _, leaf := range leaves {
		data, err := hex.DecodeString(leaf)
		must(err)
		log.add(data)
		fmt.Fprintf(&text, "%d %s %s\n", log.size, leaf, hexOf(log.root(log.size)))
	}
	write(dir, "rfc6962.txt", text.String())
}

// The small log that Tessera publishes with its private key: a checkpoint of each size.
func published(dir string) {
	signer, err := note.NewSigner("PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg")
	must(err)
	var log tree
	var bundle []byte
	write(dir, "testdata/checkpoint.0", log.checkpoint(signer, 0))
	for _, entry := range strings.Fields("one two three four five six seven eit nain ten ileven twelf threeten fourten fivten") {
		log.add([]byte(entry))
		write(dir, fmt.Sprintf("testdata/checkpoint.%d", log.size), log.checkpoint(signer, log.size))
		bundle = append(append(bundle, 0, byte(len(entry))), entry...)
	}
	write(dir, "testdata/tile/entries/000.p/15", string(bundle))
	tile, err := tlog.ReadTileData(tlog.Tile{H: 8, L: 0, N: 0, W: 15}, log.stored)
	must(err)
	write(dir, "testdata/tile/0/000.p/15", string(tile))
}

// A log of `entry 0`, `entry 1`, and so on: roots, proofs and a receipt.
func numbered(dir string) {
	seed := make([]byte, 33)
	for i := range seed {
		seed[i] = byte(i - 1)
	}
	seed[0] = 1
	signer, err := note.NewSigner("PRIVATE+KEY+signer.example/requests+eca62d7a+" + base64.StdEncoding.EncodeToString(seed))
	must(err)
	var log tree
	for i := 0; i < 70000; i++ {
		log.add([]byte(fmt.Sprintf("entry %d", i)))
	}
	var roots, proofs strings.Builder
	fmt.Fprintln(&roots, "# size, root")
	for _, size := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 256, 257, 300, 511, 512, 513, 65535, 65536, 65537, 70000} {
		fmt.Fprintf(&roots, "%d %v\n", size, log.root(size))
	}
	fmt.Fprintln(&proofs, "# inclusion, size, index, hashes; or consistency, size, older size, hashes")
	for size := int64(1); size <= 9; size++ {
		for n := int64(0); n < size; n++ {
			log.inclusion(&proofs, size, n)
			log.consistency(&proofs, size, n+1)
		}
	}
	for _, n := range []int64{1, 2, 255, 256, 257, 300, 65535, 65536, 65537, 69632, 69999} {
		log.inclusion(&proofs, 70000, n)
		log.consistency(&proofs, 70000, n)
	}
	write(dir, "numbered/roots.txt", roots.String())
	write(dir, "numbered/proofs.txt", proofs.String())
	write(dir, "numbered/checkpoint.300", log.checkpoint(signer, 300))
	var path strings.Builder
	proof, err := tlog.ProveRecord(300, 257, log.stored)
	must(err)
	for _, hash := range proof {
		fmt.Fprintf(&path, "%v\n", hash)
	}
	extra := base64.StdEncoding.EncodeToString([]byte("entry 257"))
	receipt := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex 257\n%s\n%s", extra, path.String(), log.checkpoint(signer, 300))
	write(dir, "numbered/257-of-300.tlog-proof", receipt)
}

// A tree in x/mod's storage order.
type tree struct {
	size   int64
	stored stored
}

type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, index := range indexes {
		out = append(out, s[index])
	}
	return out, nil
}

func (t *tree) add(entry []byte) {
	more, err := tlog.StoredHashes(t.size, entry, t.stored)
	must(err)
	t.stored = append(t.stored, more...)
	t.size++
}

func (t *tree) root(size int64) tlog.Hash {
	if size == 0 { // x/mod has no such tree
		return sha256.Sum256(nil)
	}
	root, err := tlog.TreeHash(size, t.stored)
	must(err)
	return root
}

func (t *tree) checkpoint(signer note.Signer, size int64) string {
	text := fmt.Sprintf("%s\n%d\n%v\n", signer.Name(), size, t.root(size))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	return string(signed)
}

func (t *tree) inclusion(out *strings.Builder, size, index int64) {
	proof, err := tlog.ProveRecord(size, index, t.stored)
	must(err)
	fmt.Fprintf(out, "inclusion %d %d %s\n", size, index, words(proof))
}

func (t *tree) consistency(out *strings.Builder, size, older int64) {
	proof, err := tlog.ProveTree(size, older, t.stored)
	must(err)
	fmt.Fprintf(out, "consistency %d %d %s\n", size, older, words(proof))
}

func hexOf(hash tlog.Hash) string {
	return hex.EncodeToString(hash[:])
}

func words(hashes []tlog.Hash) string {
	var out []string
	for _, hash := range hashes {
		out = append(out, hash.String())
	}
	return strings.Join(out, " ")
}

func write(dir, name, text string) {
	path := filepath.Join(dir, name)
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	must(os.WriteFile(path, []byte(text), 0o644))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "make-vectors:", err)
		os.Exit(1)
	}
}
