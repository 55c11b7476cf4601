package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/hachaos/hachaos/targets/app/apptest"
	"github.com/hachaos/hachaos/targets/backend"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestMongoThroughItsProxy(t *testing.T) {
	address := apptest.Mongo(t)
	s := newStage(t)
	b := s.play("docs", backend.Config{Kind: "mongodb", URL: "mongodb://" + address})
	c, err := mongo.Connect(options.Client().ApplyURI(b.URL()).SetServerSelectionTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(context.Background())
	docs := c.Database("app").Collection("docs")
	if _, err := docs.InsertOne(t.Context(), bson.D{{Key: "a", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	s.cut("docs", true)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if n, err := docs.CountDocuments(short, bson.D{}); err == nil {
		t.Errorf("a client got through a cut proxy and counted %d", n)
	}
	s.cut("docs", false)
	if n, err := docs.CountDocuments(t.Context(), bson.D{}); n != 1 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}
