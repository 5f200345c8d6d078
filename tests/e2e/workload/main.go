// Command workload is a server that end-to-end tests deploy: it says who it is, eats memory when told to, and tries to
// reach what it must not reach.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	listen      = ":8080"
	dialTimeout = time.Second
	biteBytes   = 1 << 20
)

// identity is what a started workload says of itself.
type identity struct {
	Name      string   `json:"name"`      // environment variable NAME
	Run       string   `json:"run"`       // different for every start
	Addresses []string `json:"addresses"` // of its network interfaces, without loopback
}

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	if len(os.Args) > 1 {
		command(os.Args[1], os.Args[2:])
		return
	}
	me := identity{Name: os.Getenv("NAME"), Run: rand.Text(), Addresses: addresses()}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		log.Printf("asked by %s", r.UserAgent())
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(me); err != nil {
			log.Print(err)
		}
	})
	http.HandleFunc("GET /dial", dial)
	http.HandleFunc("POST /eat", func(http.ResponseWriter, *http.Request) { eat() })
	log.Printf("%s listens on %s, run %s", me.Name, listen, me.Run)
	log.Fatal(http.ListenAndServe(listen, nil))
}

func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		log.Fatal(err)
	}
	var out []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			out = append(out, ip.IP.String())
		}
	}
	return out
}

// dial tells whether a TCP connection to the address in "to" can be made from here.
func dial(w http.ResponseWriter, r *http.Request) {
	conn, err := net.DialTimeout("tcp", r.FormValue("to"), dialTimeout)
	if err != nil {
		fmt.Fprintf(w, "no: %v", err)
		return
	}
	conn.Close()
	fmt.Fprint(w, "reached")
}

// eat takes memory until somebody ends this process.
func eat() {
	var eaten [][]byte
	for {
		bite := make([]byte, biteBytes)
		for i := range bite {
			bite[i] = byte(i)
		}
		eaten = append(eaten, bite)
		log.Printf("ate %d MiB", len(eaten))
	}
}
