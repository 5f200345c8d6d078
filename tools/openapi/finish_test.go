package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const generated = `{
	"swagger": "2.0",
	"info": {"title": "a file", "version": "not set"},
	"tags": [{"name": "Query"}, {"name": "Msg"}],
	"consumes": ["application/json"],
	"produces": ["application/json"],
	"paths": {
		"/shop.v1.Msg/Buy": {"post": {
			"operationId": "Msg_Buy",
			"responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/shop.v1.MsgBuyResponse"}}},
			"tags": ["Msg"]
		}},
		"/shop/v1/params": {"get": {
			"operationId": "Query_Params",
			"responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/shop.v1.QueryParamsResponse"}}},
			"tags": ["Query"]
		}},
		"/bank/v1/params": {"get": {
			"operationId": "Query_Params",
			"responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/bank.v1.QueryParamsResponse"}}},
			"tags": ["Query"]
		}}
	},
	"definitions": {
		"shop.v1.MsgBuy": {"type": "object", "description": "at most <3>"},
		"bank.v1.QueryParamsResponse": {"type": "object"}
	}
}`

func TestRoutesStayUnderNamesOfTheirOwnAndMessagesStayToo(t *testing.T) {
	finished, err := finish([]byte(generated))
	require.NoError(t, err)

	var doc document
	require.NoError(t, json.Unmarshal(finished, &doc))
	require.Len(t, doc.Paths, 2)
	require.Equal(t, "shop.v1.Query.Params", doc.Paths["/shop/v1/params"]["get"].OperationID)
	require.Equal(t, "bank.v1.Query.Params", doc.Paths["/bank/v1/params"]["get"].OperationID)
	require.Equal(t, []tag{{"bank.v1.Query"}, {"shop.v1.Query"}}, doc.Tags)
	require.Contains(t, doc.Definitions, "shop.v1.MsgBuy")
	require.Contains(t, string(finished), "at most <3>")
	require.Less(t, strings.Index(string(finished), "bank.v1.QueryParamsResponse\": {"), strings.Index(string(finished), "shop.v1.MsgBuy\": {"))
}

func TestWhatThisProgramDoesNotKnowIsNotLost(t *testing.T) {
	_, err := finish([]byte(strings.Replace(generated, `"definitions"`, `"securityDefinitions": {}, "definitions"`, 1)))
	require.ErrorContains(t, err, "securityDefinitions")

	_, err = finish([]byte(strings.Replace(generated, "Query_Params", "Params", 1)))
	require.ErrorContains(t, err, `operation "Params"`)
}
