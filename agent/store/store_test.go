package store

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const crashDirVariable = "SOUK_STORE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirVariable); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func envelope(secret string) *manifestpb.Envelope {
	return &manifestpb.Envelope{Header: []byte("header"), Group: []byte(secret), GroupHashes: [][]byte{bytes.Repeat([]byte{7}, 32)}}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	lease := Lease{ID: 7, Deployment: 3, Owner: "souk1owner", Unit: [8]uint64{500, 256}, Replicas: 2}
	intents := []client.Intent{
		{Hash: "BB", Tx: []byte{1}, Sequence: 4, TimeoutHeight: 10, Notes: []string{"ack"}, At: time.Unix(2, 0).UTC()},
		{Hash: "AA", Tx: []byte{2}, Sequence: 5, TimeoutHeight: 11, At: time.Unix(3, 0).UTC()},
	}
	require.NoError(t, s.PutLease(lease))
	require.NoError(t, s.PutManifest(7, envelope("PASSWORD=hunter2")))
	require.NoError(t, s.SetHeight(42))
	for _, intent := range intents {
		require.NoError(t, s.Begin(intent))
	}
	require.NoError(t, s.Close())

	s = open(t, dir)
	leases, err := s.Leases()
	require.NoError(t, err)
	require.Equal(t, []Lease{lease}, leases)
	got, err := s.Manifest(7)
	require.NoError(t, err)
	require.True(t, proto.Equal(envelope("PASSWORD=hunter2"), got))
	height, err := s.Height()
	require.NoError(t, err)
	require.EqualValues(t, 42, height)
	pending, err := s.Pending()
	require.NoError(t, err)
	require.Equal(t, intents, pending, "oldest first")
}

func TestDeletedRecordsAreGone(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.PutManifest(7, envelope("x")))
	require.NoError(t, s.PutLease(Lease{ID: 7}))
	require.NoError(t, s.Begin(client.Intent{Hash: "AA"}))
	for range 2 { // deleting what is not there succeeds
		require.NoError(t, s.DeleteManifest(7))
		require.NoError(t, s.DeleteLease(7))
		require.NoError(t, s.End("AA"))
	}
	_, err := s.Manifest(7)
	require.ErrorIs(t, err, ErrNotFound)
	leases, err := s.Leases()
	require.NoError(t, err)
	require.Empty(t, leases)
	pending, err := s.Pending()
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestManifestsAreEncryptedAtRest(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.PutManifest(7, envelope("PASSWORD=hunter2")))
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "hunter2")
	info, err := os.Stat(filepath.Join(dir, keyName))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestAManifestUnderALostKeyCountsAsNotSent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.PutManifest(7, envelope("x")))
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, keyName)))
	_, err := open(t, dir).Manifest(7)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestAManifestDoesNotPassForAnotherLeases(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.PutManifest(7, envelope("x")))
	require.NoError(t, s.put(manifestsBucket, leaseKey(8), s.seal.Seal([]byte("y"), leaseKey(7))))
	_, err := s.Manifest(8)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestEventsAreNumberedForEachLeaseAndTheLatestAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var batch []Event
	for i := range KeptEvents + 10 {
		batch = append(batch, Event{Lease: 7, Time: time.Unix(int64(i), 0).UTC(), Kind: "started", Service: "web", Replica: 1, Message: "hunter2"})
	}
	batch = append(batch, Event{Lease: 8, Kind: "acknowledged"})
	require.NoError(t, s.AddEvents(batch))
	require.EqualValues(t, 1, batch[KeptEvents+10].Number)
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "hunter2")

	s = open(t, dir)
	all, err := s.Events(7, 0, 10*KeptEvents)
	require.NoError(t, err)
	require.Equal(t, batch[10:KeptEvents+10], all)
	some, err := s.Events(7, KeptEvents, 3)
	require.NoError(t, err)
	require.Equal(t, batch[KeptEvents:KeptEvents+3], some)
	for _, after := range []uint64{KeptEvents + 10, 1 << 40, math.MaxUint64} {
		none, err := s.Events(7, after, 3)
		require.NoError(t, err)
		require.Empty(t, none)
	}
	more := []Event{{Lease: 7, Kind: "exited"}}
	require.NoError(t, s.AddEvents(more))
	require.EqualValues(t, KeptEvents+11, more[0].Number, "numbers go on after a restart")
	for range 2 {
		require.NoError(t, s.PruneEvents(map[uint64]bool{8: true, 9: true}))
	}
	none, err := s.Events(7, 0, 3)
	require.NoError(t, err)
	require.Empty(t, none)
	other, err := s.Events(8, 0, 3)
	require.NoError(t, err)
	require.Len(t, other, 1)
}

func TestOthersSealRecordsForTheirPlace(t *testing.T) {
	seal := open(t, t.TempDir()).Sealer()
	sealed := seal.Seal([]byte("hunter2"), []byte("lease/7"))
	require.NotContains(t, string(sealed), "hunter2")
	text, err := seal.Open(sealed, []byte("lease/7"))
	require.NoError(t, err)
	require.Equal(t, "hunter2", string(text))
	_, err = seal.Open(sealed, []byte("lease/8"))
	require.ErrorIs(t, err, ErrSealed)
	_, err = open(t, t.TempDir()).Sealer().Open(sealed, []byte("lease/7"))
	require.ErrorIs(t, err, ErrSealed, "another node's key")
}

func TestTwoAgentsDoNotShareAJournal(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := Open(dir)
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.Contains(t, f.Try, "--state-dir")
}

// A child process writes as fast as it can and is killed at a moment of no meaning, five times over; the journal is whole
// after each and holds at least what the child had been told was written.
func TestTheJournalSurvivesKillMinus9(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashDirVariable+"="+dir)
		require.NoError(t, child.Start())
		want := int64(50 * (round + 1))
		require.Eventually(t, func() bool { return confirmed(dir) >= want }, 20*time.Second, time.Millisecond)
		require.NoError(t, child.Process.Signal(syscall.SIGKILL))
		_ = child.Wait()
		told := confirmed(dir)

		s, err := Open(dir)
		require.NoError(t, err)
		height, err := s.Height()
		require.NoError(t, err)
		require.GreaterOrEqual(t, height, told)
		m, err := s.Manifest(uint64(height))
		require.NoError(t, err)
		require.Equal(t, "secret", string(m.GetGroup()))
		require.NoError(t, s.Close())
	}
}

// confirmed is the length of a file to which the child adds a byte after every write.
func confirmed(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, "confirmed"))
	if err != nil {
		return 0
	}
	return info.Size()
}

func writeForever(dir string) {
	s, err := Open(dir)
	if err != nil {
		panic(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "confirmed"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	for height := confirmed(dir) + 1; ; height++ {
		if s.PutManifest(uint64(height), envelope("secret")) != nil || s.SetHeight(height) != nil {
			panic("write failed")
		}
		if _, err := file.Write([]byte{'.'}); err != nil {
			panic(err)
		}
	}
}
