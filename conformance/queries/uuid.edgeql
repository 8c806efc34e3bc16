# name: uuid
# result: one uuid
select <uuid>'b9545c35-1fe7-485f-a6ea-f8ead251abd3'
