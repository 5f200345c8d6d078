package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
)

// hostPath must reach no tenant.
const hostPath = "/var/lib/provider/secret"

var errHost = &fs.PathError{Op: "open", Path: hostPath, Err: syscall.EIO}

// broken is a runtime whose machine fails at everything, in an error that names its places.
type broken struct {
	runtime.Runtime
	images runtime.ImageStore
	err    error
}

func (b broken) Images() runtime.ImageStore { return b.images }

func (b broken) Status(context.Context, runtime.LeaseID) (runtime.WorkloadStatus, error) {
	return runtime.WorkloadStatus{}, b.err
}

func (b broken) Usage(context.Context, runtime.LeaseID) (runtime.UsageSample, error) {
	return runtime.UsageSample{}, b.err
}

func (b broken) Logs(_ context.Context, r runtime.LogRequest) (io.ReadCloser, error) {
	if r.Service == "later" { // it breaks while it is read
		in, out := io.Pipe()
		_ = out.CloseWithError(b.err)
		return in, nil
	}
	return nil, b.err
}

func (b broken) Exec(context.Context, runtime.ExecRequest, runtime.Streams) (int, error) {
	return 0, b.err
}

// brokenStore is the image store of one.
type brokenStore struct {
	runtime.ImageStore
	err error
}

func (b brokenStore) Has(context.Context, runtime.Scope, string) (bool, error) { return false, b.err }

func (b brokenStore) Tags(context.Context, runtime.Scope, string) ([]string, error) {
	return nil, b.err
}

func (b brokenStore) StartUpload(context.Context, runtime.Scope) (string, error) { return "", b.err }

func (b brokenStore) AppendUpload(context.Context, runtime.Scope, string, int64, io.Reader) (int64, error) {
	return 0, b.err
}

func (b brokenStore) StatBlob(context.Context, runtime.Scope, string) (runtime.Descriptor, error) {
	return runtime.Descriptor{}, b.err
}

func (b brokenStore) PutManifest(context.Context, runtime.Scope, string, string, string, []byte) (runtime.Descriptor, error) {
	return runtime.Descriptor{}, b.err
}

func (b brokenStore) GetManifest(context.Context, runtime.Scope, string, string) (runtime.Descriptor, []byte, error) {
	return runtime.Descriptor{}, nil, b.err
}

// TestNoErrorOfTheMachineReachesATenant: what fails on the host is told without its places, whichever way was asked.
func TestNoErrorOfTheMachineReachesATenant(t *testing.T) {
	for name, err := range map[string]error{
		"not classified":                errHost,
		"the provider's":                runtime.Classify(runtime.ClassProvider, fmt.Errorf("mount a disk: %w", errHost)),
		"the provider's, as a sentinel": runtime.Classify(runtime.ClassProvider, fmt.Errorf("%w: %w", runtime.ErrTooLarge, errHost)),
		"a blob that is not there":      runtime.Classify(runtime.ClassProvider, errors.Join(runtime.ErrNotFound, errHost)),
		"the store's, cut short":        fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, errHost),
	} {
		t.Run(name, func(t *testing.T) {
			for call, told := range everyCall(t, err) {
				if call != "status" || !errors.Is(err, runtime.ErrNotFound) { // a lease that runs nothing has a status
					require.NotEmpty(t, told, call)
				}
				require.NotContains(t, told, hostPath, call)
			}
		})
	}
	t.Run("the tenant's", func(t *testing.T) {
		for call, told := range everyCall(t, runtime.Invalidf("no such thing as %q", "thing")) {
			if !strings.HasPrefix(call, "HEAD") && call != "usage" {
				require.Contains(t, told, "no such thing", call)
			}
		}
	})
}

// everyCall is what a tenant reads whose provider's runtime always answers with one error.
func everyCall(t *testing.T, err error) map[string]string {
	t.Helper()
	w, alice := start(t, broken{images: brokenStore{err: err}, err: err}), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	w.agent.put(l)
	bearer := alice.token(t, 7, nil)
	client := w.client(bearer)
	told := map[string]string{}
	_, failed := client.Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
	told["status"] = textOf(failed)
	_, failed = client.Usage(t.Context(), connect.NewRequest(&api.UsageRequest{Lease: 7}))
	told["usage"] = textOf(failed)
	for _, service := range []string{"now", "later"} {
		stream, err := client.Logs(t.Context(), connect.NewRequest(&api.LogsRequest{Lease: 7, Service: service}))
		require.NoError(t, err)
		require.False(t, stream.Receive())
		told["logs "+service] = textOf(stream.Err())
	}
	x, _, failed := w.exec(t, bearing(bearer), command(7, "ls"))
	require.NoError(t, failed)
	told["exec"] = x.end().GetError()
	manifest, blob := "/v2/7/app/manifests/1", "/v2/7/app/blobs/"+digestOf(nil)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/v2/7/app/tags/list"},
		{http.MethodGet, manifest},
		{http.MethodPut, manifest},
		{http.MethodHead, blob},
		{http.MethodPost, "/v2/7/app/blobs/uploads/"},
		{http.MethodPatch, "/v2/7/app/blobs/uploads/1"},
		{http.MethodPut, "/v2/7/app/blobs/uploads/1?digest=" + digestOf(nil)},
	} {
		resp, text := w.call(t, bearer, c.method, c.path, nil, []byte("body"))
		require.GreaterOrEqual(t, resp.StatusCode, 400, c.path)
		told[c.method+" "+c.path] = resp.Status + text
	}
	return told
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNoAddressOfTheProvidersNodeReachesATenant(t *testing.T) {
	w, alice := start(t, broken{}), newTenant(t)
	w.agent.down = true
	bearer := alice.token(t, 7, nil)
	_, err := w.client(bearer).Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	require.NotContains(t, err.Error(), "the node is down")
	resp, text := w.call(t, bearer, http.MethodGet, "/v2/7/app/tags/list", nil, nil)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NotContains(t, text, "the node is down")
	_, resp, err = w.exec(t, bearing(bearer), command(7, "ls"))
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(body), "the node is down")
}
