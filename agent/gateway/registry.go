package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

const (
	maxManifestBytes = 4 << 20
	maxPathBytes     = 1024
)

// registryCall is one request of the OCI distribution protocol, authorized. Repositories are called "<lease>/<name>", or
// "d<deployment>/<name>" of what is in custody: what is pushed there goes into the scope of the owner, and nobody else can
// name it but providers whose lease runs it.
type registryCall struct {
	*Server
	w          http.ResponseWriter
	r          *http.Request
	grant      token.Grant
	scope      runtime.Scope
	repository string // with its number
	lease      uint64 // 0 of what is in custody
	rest       string // after the kind
	room       int64  // bytes that one blob may have
	reserved   *room  // of what is in custody; nil where only the store bounds it
}

var (
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
	digestPattern     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	tagPattern        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
)

// registry serves /v2/.
func (s *Server) registry() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		w = answer
		defer func() { s.metrics.requests.WithLabelValues("registry", answer.class()).Inc() }()
		grant, err := s.bearer(r)
		if err != nil {
			s.record(r, token.Grant{}, 0, "Push", "unauthenticated", "")
			w.Header().Set("WWW-Authenticate", `Basic realm="souk"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", err)
			return
		}
		if wait := s.accounts.take(grant.Issuer, time.Now()); wait > 0 {
			s.tooOften(w, r, wait)
			return
		}
		if r.URL.Path == "/v2/" {
			writeJSON(w, http.StatusOK, struct{}{})
			return
		}
		s.route(w, r, grant)
	})
}

// route takes the path apart: /v2/<lease>/<name>/<kind>/<rest>.
func (s *Server) route(w http.ResponseWriter, r *http.Request, grant token.Grant) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	repository, kind, rest := splitPath(path)
	text, name, _ := strings.Cut(repository, "/")
	digits, kept := strings.CutPrefix(text, keptPrefix)
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || name == "" || len(path) > maxPathBytes || !repositoryPattern.MatchString(repository) {
		refuse(w, http.StatusNotFound, "NAME_INVALID", errors.New("repositories are called <lease>/<name>, or d<deployment>/<name>"))
		return
	}
	call := &registryCall{Server: s, w: w, r: r, grant: grant, repository: repository, rest: rest, room: s.cfg.MaxBlobBytes}
	defer func() { call.reserved.close() }()
	switch {
	case kept:
		err = call.openKept(number)
	case slices.Contains(grant.Scopes, token.ScopeFetch):
		s.fetchRoute(w, r, grant, number, kind, call)
		return
	default:
		err = call.openLease(number)
	}
	if err != nil {
		_, code := refusalOf(err)
		s.record(r, grant, call.lease, "Push", code, "")
		refuseLease(w, err)
		return
	}
	switch kind {
	case "uploads":
		call.uploads()
	case "blobs":
		call.blobs()
	case "manifests":
		call.manifest()
	case "tags":
		call.tags()
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", errors.New("no such endpoint"))
	}
}

// openLease makes it a call about the images of a lease.
func (c *registryCall) openLease(lease uint64) error {
	c.lease = lease
	l, err := c.allowed(c.ctx(), c.grant, token.ScopePush, lease)
	c.scope = runtime.Scope(l.Owner)
	return err
}

// splitPath finds the kind of a path, which stands behind a name that may have slashes.
func splitPath(path string) (repository, kind, rest string) {
	if before, after, ok := strings.Cut(path, "/blobs/uploads/"); ok {
		return before, "uploads", after
	}
	if before, ok := strings.CutSuffix(path, "/tags/list"); ok {
		return before, "tags", ""
	}
	for _, kind := range []string{"blobs", "manifests"} {
		if i := strings.LastIndex(path, "/"+kind+"/"); i >= 0 {
			return path[:i], kind, path[i+len(kind)+2:]
		}
	}
	return path, "", ""
}

func (c *registryCall) ctx() context.Context { return c.r.Context() }

func (c *registryCall) tags() {
	if c.r.Method != http.MethodGet {
		c.badMethod()
		return
	}
	tags, err := c.runtime.Images().Tags(c.ctx(), c.scope, c.repository)
	if err != nil {
		c.fail(err, "NAME_UNKNOWN")
		return
	}
	writeJSON(c.w, http.StatusOK, map[string]any{"name": c.repository, "tags": tags})
}

func (c *registryCall) manifest() {
	if !digestPattern.MatchString(c.rest) && !tagPattern.MatchString(c.rest) {
		refuse(c.w, http.StatusBadRequest, "TAG_INVALID", fmt.Errorf("%.64q is neither tag nor digest", c.rest))
		return
	}
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		c.getManifest()
	case http.MethodPut:
		c.putManifest()
	default:
		c.badMethod()
	}
}

func (c *registryCall) getManifest() {
	d, body, err := c.runtime.Images().GetManifest(c.ctx(), c.scope, c.repository, c.rest)
	if err != nil {
		c.fail(err, "MANIFEST_UNKNOWN")
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", d.MediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Docker-Content-Digest", d.Digest)
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodGet {
		_, _ = c.w.Write(body) // the caller left: nothing to tell
	}
}

func (c *registryCall) putManifest() {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxManifestBytes))
	if err != nil {
		c.fail(err, "MANIFEST_INVALID")
		return
	}
	if _, err := c.roomFor(nil, int64(len(body))); err != nil {
		c.fail(err, "MANIFEST_INVALID")
		return
	}
	d, err := c.runtime.Images().PutManifest(c.ctx(), c.scope, c.repository, c.rest, c.r.Header.Get("Content-Type"), body)
	if errors.Is(err, runtime.ErrIncomplete) {
		refuse(c.w, http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", c.tell("push", c.lease, err))
		return
	}
	if err != nil {
		c.fail(err, "MANIFEST_INVALID")
		return
	}
	c.log.Info("image pushed", "lease", c.lease, "repository", c.repository, "digest", d.Digest)
	if c.lease != 0 {
		c.events.Add(c.lease, events.ImagePushed, fmt.Sprintf("%.128s: %s", c.rest, d.Digest))
	}
	c.record(c.r, c.grant, c.lease, "Push", resultOK, c.repository+"@"+d.Digest)
	c.agent.Wake()
	c.created("/v2/"+c.repository+"/manifests/"+d.Digest, d.Digest)
}

// created is the answer to everything that was put.
func (c *registryCall) created(location, digest string) {
	c.w.Header().Set("Location", location)
	c.w.Header().Set("Docker-Content-Digest", digest)
	c.w.WriteHeader(http.StatusCreated)
}

func (c *registryCall) badMethod() {
	refuse(c.w, http.StatusMethodNotAllowed, "UNSUPPORTED", fmt.Errorf("%s is not for this", c.r.Method))
}

// fail translates an error of the image store.
func (c *registryCall) fail(err error, unknown string) {
	var tooLarge *http.MaxBytesError
	switch { // what the body itself is to blame for, whatever the store made of it
	case errors.As(err, &tooLarge):
		refuse(c.w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", tooLarge)
		return
	case errors.Is(err, io.ErrUnexpectedEOF):
		refuse(c.w, http.StatusBadRequest, "MANIFEST_INVALID", io.ErrUnexpectedEOF)
		return
	}
	for _, known := range []struct {
		err    error
		status int
		code   string
	}{
		{runtime.ErrTooLarge, http.StatusRequestEntityTooLarge, "SIZE_INVALID"},
		{runtime.ErrTooManyUploads, http.StatusTooManyRequests, "TOOMANYREQUESTS"},
		{runtime.ErrNotFound, http.StatusNotFound, unknown},
		{runtime.ErrDigestMismatch, http.StatusBadRequest, "DIGEST_INVALID"},
		{runtime.ErrUploadOffset, http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID"},
		{runtime.ErrInvalid, http.StatusBadRequest, "MANIFEST_INVALID"},
	} {
		if errors.Is(err, known.err) {
			refuse(c.w, known.status, known.code, c.tell("push", c.lease, err))
			return
		}
	}
	refuse(c.w, http.StatusServiceUnavailable, "UNAVAILABLE", c.tell("push", c.lease, err))
}

func refuseLease(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrNoLease), errors.Is(err, custody.ErrNotCustodian):
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", err)
	case errors.Is(err, errManifestFirst):
		refuse(w, http.StatusForbidden, "DENIED", err)
	case errors.Is(err, custody.ErrFull):
		refuse(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", err)
	case errors.Is(err, token.ErrElsewhere), errors.Is(err, token.ErrScope), errors.Is(err, custody.ErrNotEntitled):
		refuse(w, http.StatusForbidden, "DENIED", err)
	default:
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", err)
	}
}

// refuse answers with an error in the protocol's form.
func refuse(w http.ResponseWriter, status int, code string, err error) {
	writeJSON(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": Plain(err.Error())}}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the caller left: nothing to tell
}
