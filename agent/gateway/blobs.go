package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

// blobs serves /v2/<repository>/blobs/<digest>.
func (c *registryCall) blobs() {
	if !digestPattern.MatchString(c.rest) {
		refuse(c.w, http.StatusBadRequest, "DIGEST_INVALID", fmt.Errorf("%.80q is not a sha256 digest", c.rest))
		return
	}
	switch c.r.Method {
	case http.MethodHead:
		d, err := c.runtime.Images().StatBlob(c.ctx(), c.scope, c.rest)
		if err != nil {
			c.fail(err, "BLOB_UNKNOWN")
			return
		}
		c.blobHeader()
		c.w.Header().Set("Content-Length", strconv.FormatInt(d.Size, 10))
		c.w.WriteHeader(http.StatusOK)
	case http.MethodGet:
		blob, _, err := c.runtime.Images().OpenBlob(c.ctx(), c.scope, c.rest)
		if err != nil {
			c.fail(err, "BLOB_UNKNOWN")
			return
		}
		defer blob.Close()
		c.blobHeader()
		http.ServeContent(c.w, c.r, "", time.Time{}, blob)
	default:
		c.badMethod()
	}
}

func (c *registryCall) blobHeader() {
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Docker-Content-Digest", c.rest)
}

// uploads serves /v2/<repository>/blobs/uploads/[id].
func (c *registryCall) uploads() {
	switch {
	case c.rest == "" && c.r.Method == http.MethodPost:
		c.startUpload()
	case c.rest == "":
		c.badMethod()
	case strings.Contains(c.rest, "/") || len(c.rest) > 128:
		refuse(c.w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", errors.New("no such upload"))
	default:
		c.upload()
	}
}

// startUpload begins a blob. A blob that this owner has already is not sent again; one that only others have must be: its
// digest alone opens nothing.
func (c *registryCall) startUpload() {
	images, query := c.runtime.Images(), c.r.URL.Query()
	if mount := query.Get("mount"); digestPattern.MatchString(mount) {
		if d, err := images.StatBlob(c.ctx(), c.scope, mount); err == nil {
			c.created("/v2/"+c.repository+"/blobs/"+d.Digest, d.Digest)
			return
		}
	}
	id, err := images.StartUpload(c.ctx(), c.scope)
	if err != nil {
		c.fail(err, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	c.rest = id
	if digest := query.Get("digest"); digest != "" {
		c.finishUpload(digest)
		return
	}
	c.uploadState(http.StatusAccepted, 0)
}

func (c *registryCall) upload() {
	images := c.runtime.Images()
	switch c.r.Method {
	case http.MethodGet:
		size, err := images.UploadSize(c.ctx(), c.scope, c.rest)
		if err != nil {
			c.fail(err, "BLOB_UPLOAD_UNKNOWN")
			return
		}
		c.uploadState(http.StatusNoContent, size)
	case http.MethodPatch:
		size, err := c.appendBody()
		if err != nil {
			c.fail(err, "BLOB_UPLOAD_UNKNOWN")
			return
		}
		c.uploadState(http.StatusAccepted, size)
	case http.MethodPut:
		c.finishUpload(c.r.URL.Query().Get("digest"))
	case http.MethodDelete:
		if err := images.CancelUpload(c.ctx(), c.scope, c.rest); err != nil {
			c.fail(err, "BLOB_UPLOAD_UNKNOWN")
			return
		}
		c.w.WriteHeader(http.StatusNoContent)
	default:
		c.badMethod()
	}
}

// appendBody adds the body where the request says, or at the end.
func (c *registryCall) appendBody() (int64, error) {
	offset := int64(-1)
	if r := c.r.Header.Get("Content-Range"); r != "" {
		from, _, _ := strings.Cut(strings.TrimPrefix(r, "bytes "), "-")
		n, err := strconv.ParseInt(from, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("content range %.64q: %w", r, runtime.ErrUploadOffset)
		}
		offset = n
	}
	body, err := c.roomFor(http.MaxBytesReader(c.w, c.r.Body, c.room), c.r.ContentLength)
	if err != nil {
		return 0, err
	}
	size, err := c.runtime.Images().AppendUpload(c.ctx(), c.scope, c.rest, offset, body)
	c.giveBack(err)
	return size, err
}

// finishUpload takes what is left of the blob and checks its digest.
func (c *registryCall) finishUpload(digest string) {
	if !digestPattern.MatchString(digest) {
		refuse(c.w, http.StatusBadRequest, "DIGEST_INVALID", fmt.Errorf("%.80q is not a sha256 digest", digest))
		return
	}
	if c.r.ContentLength != 0 {
		if _, err := c.appendBody(); err != nil {
			c.fail(err, "BLOB_UPLOAD_UNKNOWN")
			return
		}
	}
	d, err := c.runtime.Images().FinishUpload(c.ctx(), c.scope, c.rest, digest)
	if err != nil {
		c.giveBack(err)
		c.fail(err, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	c.created("/v2/"+c.repository+"/blobs/"+d.Digest, d.Digest)
}

// uploadState tells where an upload stands and where it goes on.
func (c *registryCall) uploadState(status int, size int64) {
	h := c.w.Header()
	h.Set("Location", "/v2/"+c.repository+"/blobs/uploads/"+c.rest)
	h.Set("Docker-Upload-UUID", c.rest)
	h.Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
	c.w.WriteHeader(status)
}
