package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// abuse does, without end, what harms neighbours when nothing stops it.
func abuse(kinds string) {
	for kind := range strings.SplitSeq(kinds, ",") {
		switch kind {
		case "fork": // every process starts further ones and uses what processor it gets
			for range 8 {
				go forkForEver()
			}
			go spinForEver()
		case "memory":
			go func() {
				for {
					_, _ = takeMemory(1)
				}
			}()
		case "shm":
			go fillForEver("/dev/shm/fill")
		case "disk":
			go fillForEver("/fill")
		case "terminals":
			go func() {
				for {
					_, _ = exhaust(func(int) (int, error) { return syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY, 0) })
				}
			}()
		}
	}
	fmt.Println("begun")
	time.Sleep(time.Hour)
}

func forkForEver() {
	for {
		c := exec.Command("/proc/self/exe", "abuse", "fork")
		if c.Start() == nil {
			go func() { _ = c.Wait() }()
		}
	}
}

func spinForEver() {
	for i := 0; ; i++ {
		_ = i
	}
}

func fillForEver(path string) {
	block := make([]byte, 1<<20)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			continue
		}
		for err == nil {
			_, err = f.Write(block)
		}
		_ = f.Close()
	}
}
