package runtime

import (
	"errors"
	"fmt"
)

// Sentinel errors of this package; test with errors.Is.
var (
	// ErrNotFound: no such lease, service, replica, image or blob (or not one that the asker may see).
	ErrNotFound = errors.New("not found")
	// ErrInvalid: the request is malformed; the text says where.
	ErrInvalid = errors.New("invalid")
	// ErrNotRunning: the replica does not run at the moment.
	ErrNotRunning = errors.New("not running")
	// ErrTooMany: as many of these run at once as may.
	ErrTooMany = errors.New("too many at once")
	// ErrClosed: the runtime was closed or purged.
	ErrClosed = errors.New("runtime is closed")
	// ErrDigestMismatch: content does not hash to the digest given for it.
	ErrDigestMismatch = errors.New("digest mismatch")
	// ErrUploadOffset: a chunk does not start where the upload ends.
	ErrUploadOffset = errors.New("upload offset mismatch")
	// ErrTooLarge: a body, blob or scope would exceed its limit.
	ErrTooLarge = errors.New("too large")
	// ErrTooManyUploads: a scope has as many unfinished uploads as it may have.
	ErrTooManyUploads = errors.New("too many unfinished uploads")
	// ErrIncomplete: a manifest names blobs that its scope does not hold.
	ErrIncomplete = errors.New("manifest names missing blobs")
)

// ClassifiedError carries who has to act.
type ClassifiedError struct {
	Class ErrorClass
	Err   error
}

func (e *ClassifiedError) Error() string { return e.Err.Error() }

// Unwrap gives the classified error itself.
func (e *ClassifiedError) Unwrap() error { return e.Err }

// Classify wraps err with a class; nil stays nil, and an error that has a class already keeps it.
func Classify(class ErrorClass, err error) error {
	if err == nil {
		return nil
	}
	var c *ClassifiedError
	if errors.As(err, &c) {
		return err
	}
	return &ClassifiedError{Class: class, Err: err}
}

// ClassOf gives the class of err. What was never classified is the provider's, unless it is an error of this package that
// says what is wrong with a request.
func ClassOf(err error) ErrorClass {
	if err == nil {
		return ClassNone
	}
	var c *ClassifiedError
	if errors.As(err, &c) {
		return c.Class
	}
	for _, request := range requestErrors {
		if errors.Is(err, request) {
			return ClassTenant
		}
	}
	return ClassProvider
}

// requestErrors say what is wrong with what was asked for.
var requestErrors = []error{
	ErrNotFound, ErrInvalid, ErrNotRunning, ErrTooMany, ErrDigestMismatch, ErrUploadOffset, ErrTooLarge, ErrTooManyUploads, ErrIncomplete,
}

// ForTenant gives the text of an error as a tenant may read it. One of the provider's class, which may name paths and
// programs of its host, gives way to a sentence; the text itself belongs into the provider's log.
func ForTenant(class ErrorClass, text string) string {
	if class == ClassProvider && text != "" {
		return "the provider's machine fails at it; the reason is in the provider's log"
	}
	return text
}

// Invalidf makes an ErrInvalid of the tenant's class.
func Invalidf(format string, args ...any) error {
	return Classify(ClassTenant, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...)))
}
