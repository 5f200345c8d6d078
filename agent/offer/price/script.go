package price

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// Limits of a program that sets prices. They keep a mistake of the operator's from becoming the machine's.
type Limits struct {
	Time      time.Duration // until it is killed, with all that it started
	MemoryMiB uint64        // of data, of each of its processes
}

const (
	maxAnswer     = 64 << 10 // bytes that it may print
	maxComplaint  = 2 << 10  // bytes kept of what it says on stderr
	maxFiles      = 64
	maxWrittenMiB = 16 // of any file that it writes
)

// Script asks what a program answers: it gets a Question on its input, and prints an Answer. The program is started without
// a shell, with the agent's user and an empty environment but for PATH.
type Script struct {
	Bounds
	Path   string // absolute
	Limits Limits
}

// Question is what the program reads, as JSON. Amounts are in the market's units.
type Question struct {
	Version     int    `json:"version"` // 1
	Capacity    Amount `json:"capacity"`
	Allocated   Amount `json:"allocated"`
	Utilisation Amount `json:"utilisation_bps"` // allocated of capacity, in hundredths of a percent
	List        []List `json:"list"`            // the operator's price list
	Present     []List `json:"present"`         // prices of the offer now; empty without one
	Floor       uint64 `json:"floor_percent"`   // what is not within is refused
	Ceiling     uint64 `json:"ceiling_percent"`
}

// Answer is what it prints, as JSON.
type Answer struct {
	Asks []List `json:"asks"` // one for each denom of the list
}

// Amount is a number for each resource.
type Amount struct {
	CPUMillis    uint64 `json:"cpu_millis"`
	MemoryMiB    uint64 `json:"memory_mib"`
	EphemeralMiB uint64 `json:"ephemeral_mib"`
	HDDMiB       uint64 `json:"hdd_mib"`
	SSDMiB       uint64 `json:"ssd_mib"`
	NVMeMiB      uint64 `json:"nvme_mib"`
	GPUMillis    uint64 `json:"gpu_millis"`
	EgressMbps   uint64 `json:"egress_mbps"`
}

// List is a price list in micro-denom per hour: of a vCPU, a GiB, a GPU, a Mbit/s.
type List struct {
	Denom     string `json:"denom"`
	CPU       uint64 `json:"cpu,omitempty"`
	Memory    uint64 `json:"memory,omitempty"`
	Ephemeral uint64 `json:"ephemeral,omitempty"`
	HDD       uint64 `json:"hdd,omitempty"`
	SSD       uint64 `json:"ssd,omitempty"`
	NVMe      uint64 `json:"nvme,omitempty"`
	GPU       uint64 `json:"gpu,omitempty"`
	Egress    uint64 `json:"egress,omitempty"`
}

// Asks implements Strategy.
func (s Script) Asks(ctx context.Context, v View) ([]markettypes.Ask, error) {
	asks, err := s.ask(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("ask %s for prices: %w", s.Path, err)
	}
	return asks, nil
}

func (s Script) ask(ctx context.Context, v View) ([]markettypes.Ask, error) {
	question, err := json.Marshal(s.question(v))
	if err != nil {
		return nil, fmt.Errorf("encode the question: %w", err)
	}
	asks, err := s.answer(ctx, question)
	if err != nil {
		return nil, err
	}
	return asks, s.Admit(v.Base, asks)
}

// answer runs the program with a question and reads its answer, sorted.
func (s Script) answer(ctx context.Context, question []byte) ([]markettypes.Ask, error) {
	raw, err := s.run(ctx, question)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var answer Answer
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("its answer can not be read: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it printed more than one answer")
	}
	asks := make([]markettypes.Ask, 0, len(answer.Asks))
	for _, l := range answer.Asks {
		asks = append(asks, l.ask())
	}
	return Sorted(asks), nil
}

func (s Script) question(v View) Question {
	q := Question{
		Version: 1, Capacity: amount(v.Total), Allocated: amount(v.Allocated), List: lists(v.Base), Present: lists(v.Present),
		Floor: s.FloorPercent, Ceiling: s.CeilingPercent,
	}
	var used match.Vector
	for d := range used {
		one := View{Base: []markettypes.Ask{{Cpu: 1, Memory: 1, Ephemeral: 1, Hdd: 1, Ssd: 1, Nvme: 1, Gpu: 1, Egress: 1}}}
		one.Total[d], one.Allocated[d] = v.Total[d], v.Allocated[d]
		used[d] = utilisation(one)
	}
	q.Utilisation = amount(used)
	return q
}

// run starts the program and returns what it printed.
func (s Script) run(ctx context.Context, input []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Time)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Path)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	// A group of its own: what it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return endGroup(cmd) }
	cmd.WaitDelay = time.Second
	answer, complaint := &bounded{most: maxAnswer, full: cancel}, &bounded{most: maxComplaint}
	cmd.Stdout, cmd.Stderr = answer, complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = endGroup(cmd) }() // what it left behind
	// Limits hold before it has a question: what it does with it is bounded.
	limited := limit(cmd.Process.Pid, s.Limits)
	if limited == nil {
		go func() {
			_, _ = stdin.Write(input) // it need not read all
			_ = stdin.Close()
		}()
	} else {
		cancel()
	}
	err = cmd.Wait()
	switch {
	case limited != nil:
		return nil, fmt.Errorf("limit it: %w", limited)
	case answer.over:
		return nil, fmt.Errorf("it printed more than %d bytes", maxAnswer)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("it did not answer within %s", s.Limits.Time)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(printable(complaint.buffer.String())))
	}
	return answer.buffer.Bytes(), nil
}

// limit bounds a process and all that it will start.
func limit(pid int, l Limits) error {
	seconds := uint64(l.Time/time.Second) + 1
	for resource, most := range map[int]uint64{
		unix.RLIMIT_DATA: l.MemoryMiB << 20, unix.RLIMIT_CPU: seconds, unix.RLIMIT_FSIZE: maxWrittenMiB << 20,
		unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_CORE: 0,
	} {
		err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended already
			return err
		}
	}
	return nil
}

func endGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// bounded keeps the beginning of what is written.
type bounded struct {
	buffer bytes.Buffer
	most   int
	over   bool
	full   func() // called once there is more; may be nil
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.buffer.Len(); room < len(p) {
		b.buffer.Write(p[:room])
		if b.over = true; b.full != nil {
			b.full()
		}
		return len(p), nil
	}
	return b.buffer.Write(p)
}

// printable leaves out what could take over the terminal of who reads the agent's log.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

func amount(v match.Vector) Amount {
	return Amount{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]}
}

func lists(asks []markettypes.Ask) []List {
	out := make([]List, 0, len(asks))
	for _, a := range asks {
		out = append(out, List{a.Denom, a.Cpu, a.Memory, a.Ephemeral, a.Hdd, a.Ssd, a.Nvme, a.Gpu, a.Egress})
	}
	return out
}

func (l List) ask() markettypes.Ask {
	return markettypes.Ask{
		Denom: l.Denom, Cpu: l.CPU, Memory: l.Memory, Ephemeral: l.Ephemeral, Hdd: l.HDD, Ssd: l.SSD, Nvme: l.NVMe, Gpu: l.GPU, Egress: l.Egress,
	}
}
