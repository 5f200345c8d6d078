package misreport

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/souk-network/souk/match"
)

// Shapes are what units and pools are drawn from.
type Shapes struct {
	Units    []match.Vector
	Machines []Machine
}

// Machine is a machine of some capacity; Model is that of its GPUs, 0 without.
type Machine struct {
	Has   match.Vector
	Model uint32
}

var gpuModels = map[string]uint32{"": 0, "P100": 1, "T4": 2, "V100M16": 3, "V100M32": 4, "G2": 5, "G3": 6, "A10": 7}

const models = 7

// OpenB reads the openb trace below a folder.
func OpenB(folder string) (Shapes, error) {
	var s Shapes
	pods, err := rowsOf(filepath.Join(folder, "openb", "openb_pod_list_default.csv"))
	if err != nil {
		return s, err
	}
	for _, row := range pods {
		n := numbers(row, "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
		unit := match.Vector{match.CPUMillis: n[0], match.MemoryMiB: n[1], match.GPUMillis: n[2] * n[3]}
		if unit != (match.Vector{}) {
			s.Units = append(s.Units, unit)
		}
	}
	nodes, err := rowsOf(filepath.Join(folder, "openb", "openb_node_list_all_node.csv"))
	if err != nil {
		return s, err
	}
	for _, row := range nodes {
		n := numbers(row, "cpu_milli", "memory_mib", "gpu")
		s.Machines = append(s.Machines, Machine{Model: gpuModels[row["model"]], Has: match.Vector{
			match.CPUMillis: n[0], match.MemoryMiB: n[1], match.GPUMillis: n[2] * 1000,
		}})
	}
	if len(s.Units) == 0 || len(s.Machines) == 0 {
		return s, fmt.Errorf("no units or machines in %s", folder)
	}
	return s, nil
}

func rowsOf(path string) ([]map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the trace: %w", err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var rows []map[string]string
	for _, record := range records[min(1, len(records)):] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// numbers reads columns; the trace leaves some empty, which are 0.
func numbers(row map[string]string, columns ...string) []uint64 {
	var all []uint64
	for _, name := range columns {
		n, err := strconv.ParseUint(row[name], 10, 64)
		if err != nil {
			n = 0
		}
		all = append(all, n)
	}
	return all
}

// Synthetic has common shapes, for where there is no trace.
func Synthetic() Shapes {
	var s Shapes
	rng := rand.New(rand.NewPCG(7, 7))
	for range 500 {
		cpu := []uint64{500, 1000, 2000, 4000, 8000, 16_000}[rng.IntN(6)]
		unit := match.Vector{match.CPUMillis: cpu, match.MemoryMiB: cpu * (1 + rng.Uint64N(8))}
		if rng.IntN(2) == 0 {
			unit[match.GPUMillis] = []uint64{250, 500, 1000, 2000, 8000}[rng.IntN(5)]
		}
		s.Units = append(s.Units, unit)
	}
	for i := range 64 {
		m := Machine{Model: uint32(i % (models + 1)), Has: match.Vector{match.CPUMillis: 96_000, match.MemoryMiB: 384 << 10}}
		if m.Model > 0 {
			m.Has[match.GPUMillis] = 8000
		}
		s.Machines = append(s.Machines, m)
	}
	return s
}
