package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelloTellsWhereItRuns(t *testing.T) {
	t.Setenv("SOUK_LEASE", "7")
	t.Setenv("OTHER", "hidden")
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), "Hello from Souk!\nhost: ")
	require.Contains(t, answer.Body.String(), "SOUK_LEASE=7\n")
	require.NotContains(t, answer.Body.String(), "hidden")
}

func TestHelloKnowsNoOtherPage(t *testing.T) {
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/etc/passwd", nil))
	require.Equal(t, http.StatusNotFound, answer.Code)
}
