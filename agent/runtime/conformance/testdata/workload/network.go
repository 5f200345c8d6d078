package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var held sync.Map // connections that stay open

// where tells the address of this replica, and who asks.
func where(r *http.Request) (string, error) { return ownAddress() + " asked by " + r.RemoteAddr, nil }

func ownAddress() string {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return err.Error()
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return "none"
}

// answerPackets answers each UDP packet as where does.
func answerPackets(address string) {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		log.Print(err)
		return
	}
	b := make([]byte, 2048)
	for {
		_, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = c.WriteTo([]byte(ownAddress()+" asked by "+from.String()), from)
	}
}

// resolve looks a name up as programs do; with a server it asks that one.
func resolve(r *http.Request) (string, error) {
	resolver := &net.Resolver{PreferGo: true}
	if server := r.FormValue("server"); server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			if forced := r.FormValue("network"); forced != "" {
				network = forced
			}
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, server)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	list, err := resolver.LookupHost(ctx, r.FormValue("name"))
	slices.Sort(list)
	return strings.Join(list, " "), err
}

// packet sends a UDP packet and tells what comes back.
func packet(r *http.Request) (string, error) {
	c, err := net.Dial(r.FormValue("network"), r.FormValue("address"))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(700 * time.Millisecond)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return "", err
	}
	b := make([]byte, 2048)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// connect opens connections and keeps them open, and tells how many it got within a time.
func connect(r *http.Request) (string, error) {
	var got atomic.Int32
	want := number(r.FormValue("n"))
	places := make(chan struct{}, 64)
	for range want {
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			c, err := net.DialTimeout(cmp.Or(r.FormValue("network"), "tcp"), r.FormValue("address"), 900*time.Millisecond)
			if err == nil && c.LocalAddr().Network() == "udp" {
				err = answered(c) // until then there is nothing to be had
			}
			if err != nil {
				return
			}
			held.Store(got.Add(1), c)
		}()
	}
	for range cap(places) {
		places <- struct{}{}
	}
	return fmt.Sprint(got.Load()), nil
}

// answered tells whether a packet comes back.
func answered(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(900 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 2048))
	return err
}
